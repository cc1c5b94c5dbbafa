"""NormalizeSkeleton against loops, and against what it promises to take out."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton

BASE, LEFT, RIGHT = 0, 12, 16  # NTU's spine base, left hip and right hip


def unit(vector):
    return vector / math.sqrt(sum(float(v) ** 2 for v in vector))


def first_frame_twin(clip):
    """Whole NTU bodies (M, T, 25, 3); shoulders 4 and 8, their center 20."""
    clip = clip.astype(np.float64)
    frames = range(clip.shape[1])
    frame = next(t for t in frames if clip[:, t].any())
    body = clip[next(m for m in range(len(clip)) if clip[m, frame].any())]
    there = [t for t in frames if body[t].any()]
    length = np.median([np.linalg.norm(body[t, 20] - body[t, BASE]) for t in there])
    y = unit(body[frame, 20] - body[frame, BASE])
    x = body[frame, LEFT] + body[frame, 4] - body[frame, RIGHT] - body[frame, 8]
    x = unit(x - y * np.dot(x, y))
    axes = (x, y, np.cross(x, y))
    out = np.zeros(clip.shape)
    for m, t, v in np.ndindex(out.shape[:3]):
        if clip[m, t].any():  # absent persons stay zero
            moved = (clip[m, t, v] - body[frame, BASE]) / length
            out[m, t, v] = [np.dot(moved, axis) for axis in axes]
    return out


@settings(max_examples=15)
@given(
    persons=st.integers(1, 2),
    frames=st.integers(1, 6),
    padding=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_first_frame(make_sample, persons, frames, padding, seed):
    sample = make_sample('ntu25', persons, frames, seed=seed, padding=padding, absent=True)
    clip = sample['keypoint']
    expected = first_frame_twin(clip) if clip.any() else clip
    given = clip.copy()
    out = NormalizeSkeleton()({**sample})['keypoint']
    np.testing.assert_array_equal(clip, given)
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_place_size_and_direction_of_the_camera_are_gone(make_sample, layout):
    sample = make_sample(layout, persons=2)
    turn = Rotation.from_euler('xyz', [25, 80, -40], degrees=True).as_matrix()
    moved = (2.5 * sample['keypoint'] @ turn.T + [1, -2, 4]).astype(np.float32)
    normalize = NormalizeSkeleton()
    out = normalize({**sample})['keypoint']
    np.testing.assert_allclose(normalize({**sample, 'keypoint': moved})['keypoint'], out, atol=2e-4)
    # Both persons moved as one rigid body: all angles and relative lengths are kept.
    before = np.linalg.norm(np.diff(sample['keypoint'][:, 0].reshape(-1, 3), axis=0), axis=-1)
    after = np.linalg.norm(np.diff(out[:, 0].reshape(-1, 3), axis=0), axis=-1)
    np.testing.assert_allclose(after / after[0], before / before[0], rtol=1e-3)


@pytest.mark.parametrize('coordinates', [2, 3])
@pytest.mark.parametrize(
    ('layout', 'missing'),
    [
        ('ntu25', ['spine_base']),
        ('kinect20', ['shoulder_center', 'left_hip']),
        ('jhmdb15', ['belly', 'neck', 'right_shoulder']),
        ('coco17', ['right_hip']),
        ('coco17', ['left_hip', 'right_hip']),
        ('coco17', ['left_hip', 'right_hip', 'left_shoulder', 'right_shoulder']),
    ],
)
def test_joints_that_no_frame_shows_put_nothing_elsewhere(
    make_sample, layout, missing, coordinates
):
    """Neither the place nor the size of the body counts, though zeros stay where they are."""
    sample = make_sample(layout, 2, 5, coordinates)
    sample['keypoint'][:, :, LAYOUTS[layout].index(*missing)] = 0
    known = sample['keypoint'].any(axis=-1, keepdims=True)
    moved = np.where(known, 2.5 * sample['keypoint'] + [1, -2, 4][:coordinates], 0)
    normalize = NormalizeSkeleton()
    out = normalize({**sample})['keypoint']
    again = normalize({**sample, 'keypoint': moved.astype(np.float32)})['keypoint']
    np.testing.assert_allclose(again, out, atol=1e-4)
    assert not out[~known[..., 0]].any()


def test_origin_scale_and_axes_of_what_is_known(make_sample):
    layout = LAYOUTS['coco17']
    sample = make_sample('coco17', frames=5)
    left, right = layout.index('left_hip', 'right_hip')
    clip = sample['keypoint']
    clip[:, :, right] = 0
    shoulders = clip[0, :, layout.index('left_shoulder', 'right_shoulder')].mean(axis=0)
    length = np.median(np.linalg.norm(shoulders - clip[0, :, left], axis=-1))
    out = NormalizeSkeleton()({**sample})['keypoint']
    # Not turned: of an axis a joint is missing.
    expected = np.where(clip.any(-1, keepdims=True), (clip - clip[0, 0, left]) / length, 0)
    np.testing.assert_allclose(out, expected, atol=1e-5)

    clip[:, :, left] = 0
    out = NormalizeSkeleton()({**sample})['keypoint']
    np.testing.assert_allclose(out[0, 0].sum(axis=0), 0, atol=1e-4)  # the mean of all known
    start, end = np.array(layout.limbs).T
    both = out[0].any(axis=-1)[:, start] & out[0].any(axis=-1)[:, end]
    bones = np.linalg.norm(out[0][:, start] - out[0][:, end], axis=-1)[both]
    assert np.median(bones) == pytest.approx(1, abs=1e-5)

    clip[0, :3] = 0  # nobody in the first frames
    out = NormalizeSkeleton()({**sample})['keypoint']
    np.testing.assert_allclose(out[0, 3].sum(axis=0), 0, atol=1e-4)


def test_bodies_that_have_no_axes_do_not_break(make_sample):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for keypoint in (
            np.zeros((2, 3, 25, 3), np.float32),  # nobody
            np.ones((1, 1, 25, 3), np.float32),  # all joints in one place
            np.arange(1, 26, dtype=np.float32)[None, None, :, None] * np.ones(3, np.float32),
            np.eye(25, dtype=np.float32)[None, :, :, None] * np.ones(3, np.float32),
        ):
            out = NormalizeSkeleton()({**make_sample('ntu25'), 'keypoint': keypoint})['keypoint']
            assert out.shape == keypoint.shape and np.isfinite(out).all()
