"""Cameras: the vectorized projection against a slow one, and which way is which."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.demo_world.camera import Camera

angles = st.floats(-1.2, 1.2)


def slow_project(camera, point, shift):
    """One point by turning the world about y, x and z, in plain numbers."""
    x, y, z = (a - b for a, b in zip(point, camera.target))
    a, e, r = camera.azimuth, camera.elevation, camera.roll
    x, z = x * math.cos(a) - z * math.sin(a), x * math.sin(a) + z * math.cos(a)
    y, z = y * math.cos(e) - z * math.sin(e), y * math.sin(e) + z * math.cos(e)
    x, y = x * math.cos(r) - y * math.sin(r), x * math.sin(r) + y * math.cos(r)
    depth = camera.distance - z
    return (
        0.5 + shift[0] + camera.focal * x / depth,
        0.5 + shift[1] - camera.focal * y / depth,
        depth,
    )


@settings(max_examples=30, deadline=None)
@given(angles, angles, angles, st.integers(0, 1000))
def test_projection_against_a_slow_twin(azimuth, elevation, roll, seed):
    rng = np.random.default_rng(seed)
    camera = Camera(
        azimuth, elevation, 1.4, roll, 5.0, (0.1, 0.8, -0.2), rng.normal(0, 0.1, (3, 2))
    )
    points = rng.uniform(-1, 1, (3, 4, 3))
    viewed = camera.view(points)
    image = camera.project(viewed)
    for t in range(3):
        for joint in range(4):
            u, v, depth = slow_project(camera, points[t, joint], camera.shift[t])
            np.testing.assert_allclose(
                [*image[t, joint], viewed[t, joint, 2]], [u, v, depth], atol=1e-9
            )
