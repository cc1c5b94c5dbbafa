"""Cameras: where they stand, which way is which, and that they only turn and move."""

from __future__ import annotations

import numpy as np
import pytest

from tools.demo_world.camera import CAMERAS, Camera

QUARTER = np.pi / 2
UP, LEFT, FRONT = np.eye(3)[1], np.eye(3)[0], np.eye(3)[2]  # of a person with heading 0


@pytest.mark.parametrize(
    ('camera', 'right', 'up', 'near'),
    [
        (Camera(0.0, 0.0, 1.4), LEFT, UP, FRONT),
        (Camera(QUARTER, 0.0, 1.4), -FRONT, UP, LEFT),
        (Camera(0.0, QUARTER, 1.4), LEFT, -FRONT, UP),
        (Camera(0.0, 0.0, 1.4, roll=QUARTER), -UP, LEFT, FRONT),
    ],
)
def test_where_a_camera_stands_and_which_way_is_which(camera, right, up, near):
    turned = camera.view(np.stack([right, up, -near]) + camera.target)
    np.testing.assert_allclose(turned - [0, 0, camera.distance], np.eye(3), atol=1e-12)


def test_cameras_keep_distances():
    points = np.random.default_rng(0).normal(size=(2, 9, 3))
    for camera in (*CAMERAS['train'], Camera(0.3, -0.2, 1.4, 0.5, 5.0, (0.1, 0.8, -0.2))):
        one, other = camera.view(points)
        lengths = np.linalg.norm(points[0] - points[1], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(one - other, axis=-1), lengths)
