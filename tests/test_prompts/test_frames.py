"""The picture of a clip: which frames, from a video or drawn, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.prompts.frames import COLORS, SIZE, draw_skeletons, frame_sheet

LAYOUT = LAYOUTS['kinect20']


def tiles(sheet: np.ndarray) -> list[np.ndarray]:
    """Frames of a sheet, row by row."""
    return [part for row in np.split(sheet, 2) for part in np.split(row, sheet.shape[1] // SIZE, 1)]


def nobody(frames: int = 9) -> np.ndarray:
    return np.zeros((1, frames, LAYOUT.num_joints, 3), np.float32)


@pytest.mark.parametrize(('frames', 'expected'), [(4, [0, 13, 26, 39]), (2, [0, 39])])
def test_frames_of_the_clips_own_video_are_spread_evenly(
    frames, expected, tmp_path, make_video, read_index
):
    make_video(tmp_path / 'clip.mp4', num_frames=40)
    make_video(tmp_path / 'clip2.mp4', num_frames=7)
    sheet = frame_sheet('clip', nobody(), 'kinect20', frames, str(tmp_path))
    assert sheet.dtype == np.uint8 and sheet.shape == (2 * SIZE, frames // 2 * SIZE, 3)
    assert [read_index(tile) for tile in tiles(sheet)] == expected
    sheet = frame_sheet('clip2.mp4', nobody(), 'kinect20', 2, str(tmp_path))  # with its ending
    assert [read_index(tile) for tile in tiles(sheet)] == [0, 6]


def test_drawn_skeletons_move_and_show_their_sides():
    clip = nobody(5)
    clip[0, :, :, 1] = 1  # all joints in one place, but for the hands
    left, right = LAYOUT.index('left_hand', 'right_hand')
    clip[0, :, left], clip[0, :, right] = (1, 0, 0), (-1, 0, 0)
    clip[0, :, left, 1] = np.linspace(0, 2, 5)
    drawn = tiles(frame_sheet('clip', clip, 'kinect20', 4))
    heights = []
    for picture in drawn:
        rows, columns = np.nonzero((picture == COLORS['left']).all(-1))
        assert columns.mean() > SIZE / 2  # x to the right
        heights.append(rows.mean())
        columns = np.nonzero((picture == COLORS['right']).all(-1))[1]
        assert columns.mean() < SIZE / 2
    assert heights[0] > heights[1] > heights[2] > heights[3], 'up in space is up in the picture'
    assert (frame_sheet('clip', nobody(), 'kinect20', 2) == 255).all()


def test_a_person_who_faces_the_camera_has_the_left_at_the_pictures_right():
    clip = nobody(2)
    clip[0, :, :] = (0.001, 1, 3)  # three meters before a Kinect, whose x grows to its left
    left, right = LAYOUT.index('left_hand', 'right_hand')
    clip[0, :, left, 0], clip[0, :, right, 0] = -1, 1
    for picture in tiles(frame_sheet('clip', clip, 'kinect20', 2)):
        assert np.nonzero((picture == COLORS['left']).all(-1))[1].mean() > SIZE / 2


def test_a_line_between_left_and_right_is_of_the_middle():
    layout = LAYOUTS['coco17']
    clip = np.zeros((1, 1, layout.num_joints, 2))
    clip[0, 0, layout.index('left_shoulder', 'right_shoulder')] = [(2, 1), (1, 1)]
    (picture,) = draw_skeletons(clip, layout, 1)
    assert picture.min() == COLORS[''][0], 'those of the sides are darker in a channel'


def test_mistakes_are_named(tmp_path):
    for frames in (0, 3):
        with pytest.raises(ConfigError, match=f'frames={frames} of a clip: choose an even number'):
            frame_sheet('clip', nobody(), 'kinect20', frames)
    with pytest.raises(DataError, match="has no video of the clip 'clip': correct --videos"):
        frame_sheet('clip', nobody(), 'kinect20', 4, str(tmp_path))
