"""Pictures of clips: frames in their order, parts where they lie, every limb that is seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import same_color

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.visualization import clips

PARTS = PART_LAYOUTS['pose_parts']
LIMBS = LAYOUTS['coco17'].limbs
CLIPS, TIME, HEIGHT, WIDTH = 2, 3, 20, 30


def strips(offset: int) -> dict[str, np.ndarray]:
    """Videos of two and three frames, whose gray value says clip, kind and time."""
    gray = np.uint8(offset + 40 * np.arange(2)[:, None] + np.arange(5))
    frames = np.broadcast_to(gray[..., None, None, None], (2, 5, 4, 4, 3))
    return dict(current=frames[:, :2], future=frames[:, 2:])


def test_each_generated_frame_is_below_the_real_one_at_its_time():
    rows = {kind: strips(offset) for kind, offset in (('real', 0), ('own', 100), ('b', 50))}
    figure = clips.draw_generated_frames(rows, ['walk', 'wave'], dict(current=1, future=4))
    axes = np.array(figure.axes).reshape(6, 5)
    for clip in range(2):
        for kind, offset in enumerate((0, 100, 50)):
            for step in range(5):
                (image,) = axes[3 * clip + kind, step].get_images()
                assert np.unique(image.get_array()).tolist() == [offset + 40 * clip + step]
    titles = [axis.get_title() for axis in axes[0]]
    assert titles == ['current 1', 'current 2', 'future 1', 'future 5', 'future 9']
    assert not any(axis.get_title() for axis in axes[1:].flat)
    labels = [row[0].get_ylabel() for row in axes]
    assert labels == [f'{clip}\n{kind}' for clip in ('walk', 'wave') for kind in rows]


def test_the_most_probable_part_is_named_and_a_person_alone_from_a_half_on():
    maps = np.zeros((2, 7, 3, 3))
    maps[:, 0] = 0.4
    maps[0, 3, 1, 2] = 0.6
    expected = np.zeros((2, 3, 3))
    expected[0, 1, 2] = 3
    np.testing.assert_array_equal(clips.part_numbers(maps), expected)
    person = np.array([[[0.5, 0.51], [0.2, 1.0]]])
    np.testing.assert_array_equal(clips.part_numbers(person), [[0, 1], [0, 1]])


def test_parts_of_teacher_above_student_on_frames_spread_in_time():
    frames = np.random.default_rng(0).integers(0, 255, (2, 7, 12, 16, 3), np.uint8)
    teacher, student = np.zeros((2, 7, 7, 6, 8)), np.zeros((2, 7, 7, 6, 8))
    teacher[:, :, 1] = student[:, :, 2] = 1
    figure = clips.draw_part_maps(frames, teacher, student, PARTS, ['one', 'two'])
    axes = np.array(figure.axes).reshape(4, 4)
    colors = clips.part_colors(PARTS)
    labels = [row[0].get_ylabel() for row in axes]
    assert labels == ['one\nteacher', 'one\nstudent', 'two\nteacher', 'two\nstudent']
    for row, name in enumerate(labels):
        for axis, step in zip(axes[row], (0, 2, 4, 6)):
            frame, parts = axis.get_images()
            np.testing.assert_array_equal(frame.get_array(), frames[row // 2, step])
            assert parts.get_extent() == [-0.5, 15.5, 11.5, -0.5]
            shown = parts.get_array().reshape(-1, 4)
            assert (shown == colors['head' if name.endswith('teacher') else 'torso']).all()
    legend = figure.legends[0]
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == list(PARTS.names[1:])
    for patch, name in zip(legend.get_patches(), texts):
        assert same_color(patch.get_facecolor(), colors[name])


def draw(*poses: np.ndarray) -> np.ndarray:
    true, predicted, last = poses
    columns = {str(step): np.zeros((CLIPS, HEIGHT, WIDTH, 3), np.uint8) for step in range(TIME)}
    drawn = {str(step): (true[:, step], predicted[:, step]) for step in range(TIME)}
    figure = clips.draw_overview(columns, drawn, last, 'coco17', ['walk', 'wave'])
    return np.array(figure.axes).reshape(CLIPS, TIME)


@pytest.fixture
def poses() -> list[np.ndarray]:
    """True, predicted and last ones, all seen."""
    shapes = (CLIPS, TIME, 17, 3), (CLIPS, TIME, 17, 2), (CLIPS, 17, 3)
    poses = [np.random.default_rng(0).random(shape) for shape in shapes]
    poses[0][..., 2] = poses[2][..., 2] = 1
    return poses


def lines(axis, name: str) -> list[np.ndarray]:
    found = [line for line in axis.get_lines() if line.get_color() == clips.COLORS[name]]
    return [np.array(line.get_data()).T for line in found]


def test_all_limbs_are_drawn_at_their_pixels(poses):
    axes = draw(*poses)
    true, predicted, last = poses
    for row in range(CLIPS):
        for step in range(TIME):
            expected = dict(teacher=true[row, step, :, :2], predicted=predicted[row, step])
            expected['last'] = last[row, :, :2]
            for name, pose in expected.items():
                drawn = lines(axes[row, step], name)
                assert len(drawn) == len(LIMBS)
                for ends, limb in zip(drawn, LIMBS):
                    # A picture's pixels have their middles at whole numbers.
                    np.testing.assert_allclose(ends, pose[list(limb)] * (WIDTH, HEIGHT) - 0.5)


def test_unseen_joints_are_not_drawn(poses):
    """Nor are predictions of them: nothing says whether those are right."""
    true, _, last = poses
    wrist, nose = LAYOUTS['coco17'].index('left_wrist', 'nose')
    true[0, 1, wrist, 2] = 0
    last[1, nose, 2] = 0
    axes = draw(*poses)
    without_wrist, without_nose = (sum(j not in limb for limb in LIMBS) for j in (wrist, nose))
    assert without_wrist < len(LIMBS)
    counts = {name: len(lines(axes[0, 1], name)) for name in clips.COLORS}
    assert counts == dict(teacher=without_wrist, predicted=without_wrist, last=len(LIMBS))
    assert len(lines(axes[1, 2], 'last')) == without_nose
    assert len(lines(axes[1, 2], 'teacher')) == len(LIMBS)


NAMES = ['one', 'two', 'three', 'four']


def test_searches_of_a_video_stand_in_their_order_and_the_nearest_first(monkeypatch):
    monkeypatch.setattr(clips, 'FOUND', 2)
    own = torch.tensor([[0.9, 0.1, 0.2, -0.3], [0.0, 0.1, 0.3, 0.2]]).repeat(2, 1)
    frames = [np.arange(4 * 5).reshape(4, 5, 1, 1, 1).repeat(3, 4).astype(np.uint8)] * 2
    frames[1] = frames[1] + 100
    searches = dict(image=own, student=-own, pose=-own, other=own)
    rows = list(clips.draw_neighbors(searches, frames, NAMES, queries=2).subfigs)
    assert [row.get_suptitle() for row in rows] == 2 * ['image', 'student', 'pose', 'other']
    titles = [[axis.get_title() for axis in row.axes] for row in rows]
    assert titles[0] == ['one', '1. one (0.90)', '2. three (0.20)']
    assert titles[1] == ['one', '1. four (0.30)', '2. two (-0.10)']
    assert [row[0] for row in titles[4:]] == 4 * ['two']
    assert titles[4][1:] == ['1. three (0.30)', '2. four (0.20)']
    for axis, (caption, color) in zip(rows[0].axes, (clips.QUERY, clips.SAME_VIDEO, clips.OTHER)):
        assert axis.get_xlabel() == caption
        assert all(same_color(s.get_edgecolor(), color) for s in axis.spines.values())
    # First, middle and last frame: of the clip that searches, and of the other clip of a video.
    strips = [axis.get_images()[0].get_array()[0, :, 0].tolist() for axis in rows[0].axes]
    assert strips == [[0, 2, 4], [100, 102, 104], [110, 112, 114]]


def test_no_more_are_shown_than_there_are():
    frames = [np.zeros((2, 3, 1, 1, 3), np.uint8)] * 2
    rows = clips.draw_neighbors(dict(image=torch.eye(2)), frames, NAMES[:2], queries=9).subfigs
    assert [len(row.axes) for row in rows] == [3, 3]
