"""Stick figures of a clip: their sides, and that up is up."""

from __future__ import annotations

import numpy as np

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.visualization.stick_figures import COLORS, SIZE, draw_skeletons

LAYOUT = LAYOUTS['kinect20']


def test_drawn_skeletons_move_and_show_their_sides():
    clip = np.zeros((1, 5, LAYOUT.num_joints, 3), np.float32)
    assert all((picture == 255).all() for picture in draw_skeletons(clip, LAYOUT, 2))
    clip[0, :, :, 1] = 1  # all joints in one place, but for the hands
    left, right = LAYOUT.index('left_hand', 'right_hand')
    clip[0, :, left], clip[0, :, right] = (1, 0, 0), (-1, 0, 0)
    clip[0, :, left, 1] = np.linspace(0, 2, 5)
    drawn = draw_skeletons(clip, LAYOUT, 4)
    heights = []
    for picture in drawn:
        rows, columns = np.nonzero((picture == COLORS['left']).all(-1))
        assert columns.mean() > SIZE / 2  # x to the right
        heights.append(rows.mean())
        columns = np.nonzero((picture == COLORS['right']).all(-1))[1]
        assert columns.mean() < SIZE / 2
    assert heights[0] > heights[1] > heights[2] > heights[3], 'up in space is up in the picture'


def test_a_person_who_faces_the_camera_has_the_left_at_the_pictures_right():
    clip = np.zeros((1, 2, LAYOUT.num_joints, 3), np.float32)
    clip[0, :, :] = (0.001, 1, 3)  # three meters before a Kinect, whose x grows to its left
    left, right = LAYOUT.index('left_hand', 'right_hand')
    clip[0, :, left, 0], clip[0, :, right, 0] = -1, 1
    for picture in draw_skeletons(clip, LAYOUT, 2):
        assert np.nonzero((picture == COLORS['left']).all(-1))[1].mean() > SIZE / 2


def test_a_line_between_left_and_right_is_of_the_middle():
    layout = LAYOUTS['coco17']
    clip = np.zeros((1, 1, layout.num_joints, 2))
    clip[0, 0, layout.index('left_shoulder', 'right_shoulder')] = [(2, 1), (1, 1)]
    (picture,) = draw_skeletons(clip, layout, 1)
    assert (picture == COLORS['']).all(axis=-1).sum() > SIZE / 2
