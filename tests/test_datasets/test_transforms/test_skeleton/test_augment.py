"""Rotation, shear, flip, jitter and joint mask."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.augment import (
    JointJitter,
    JointMask,
    RandomRotation,
    RandomScale,
    RandomShear,
    SkeletonFlip,
)
from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton

ALL = [
    RandomRotation(),
    RandomShear(),
    RandomScale(),
    SkeletonFlip(1.0),
    JointJitter(),
    JointJitter(clip_deviation=0.1),
    JointMask(),
]


@pytest.mark.parametrize('transform', ALL, ids=lambda transform: type(transform).__name__)
@pytest.mark.parametrize('coordinates', [2, 3])
def test_zeros_stay_zeros_and_the_input_is_left_as_it_was(make_sample, transform, coordinates):
    sample = make_sample('ntu25', 2, coordinates=coordinates, padding=3, gaps=True)
    before = sample['keypoint'].copy()
    np.random.seed(0)
    out = transform({**sample})['keypoint']
    assert out.dtype == np.float32 and out.shape == before.shape
    assert not np.array_equal(out, before)
    present = [(keypoint != 0).any(axis=(-2, -1)) for keypoint in (out, before)]
    np.testing.assert_array_equal(*present)
    np.testing.assert_array_equal(sample['keypoint'], before)


@pytest.mark.parametrize('coordinates', [2, 3])
def test_rotation(make_sample, coordinates):
    sample = make_sample(frames=3, coordinates=coordinates)
    np.random.seed(4)
    a, b, c = np.deg2rad(np.random.uniform(-1, 1, 3) * [10, 90, 30])
    np.random.seed(4)
    out = RandomRotation((10, 90, 30))({**sample})['keypoint']
    turn = Rotation.from_euler('xyz', (a, b, c) if coordinates == 3 else (0, 0, c)).as_matrix()
    expected = sample['keypoint'] @ turn[:coordinates, :coordinates].T
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize('coordinates', [2, 3])
def test_shear(make_sample, coordinates):
    sample = make_sample(frames=2, coordinates=coordinates)
    np.random.seed(1)
    shear = np.random.uniform(-0.3, 0.3, (coordinates, coordinates))
    np.random.seed(1)
    out = RandomShear(0.3)({**sample})['keypoint']
    np.fill_diagonal(shear, 1)
    np.testing.assert_allclose(out, sample['keypoint'] @ shear.T, atol=1e-5)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_flip(make_sample, layout):
    sample = make_sample(layout)
    out = SkeletonFlip(1.0)({**sample})['keypoint']
    exchanged = sample['keypoint'][:, :, LAYOUTS[layout].flip_indices]
    np.testing.assert_array_equal(out, exchanged * np.float32([-1, 1, 1]))
    twice = SkeletonFlip(1.0)({**sample, 'keypoint': out})['keypoint']
    np.testing.assert_array_equal(twice, sample['keypoint'])


def test_a_flip_keeps_its_probability(make_sample):
    sample = make_sample(frames=1)
    np.random.seed(0)
    same = [SkeletonFlip(0.3)({**sample})['keypoint'] is sample['keypoint'] for _ in range(1000)]
    assert abs(np.mean(same) - 0.7) < 0.04


def test_jitter(make_sample):
    sample = make_sample('ntu25', persons=2, frames=400)
    np.random.seed(0)
    noise = JointJitter(deviation=0.1, fraction=0.4)({**sample})['keypoint'] - sample['keypoint']
    noisy = noise.any(axis=(0, 1, 3))
    assert noisy.sum() == 10
    assert abs(noise[:, :, noisy].std() - 0.1) < 2e-3 and abs(noise[:, :, noisy].mean()) < 2e-3
    # Drawn apart for persons, frames and coordinates.
    flat = noise[:, :, noisy].reshape(2, 400, -1)
    assert abs(np.corrcoef(flat[0].ravel(), flat[1].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(flat[0, 1:].ravel(), flat[0, :-1].ravel())[0, 1]) < 0.05


def test_missing_joints_get_no_noise(make_sample):
    sample = make_sample('ntu25', persons=2, gaps=True)
    known = sample['keypoint'].any(axis=-1)
    out = JointJitter(deviation=0.1, clip_deviation=0.1)({**sample})['keypoint']
    np.testing.assert_array_equal(out.any(axis=-1), known)
    assert (out != sample['keypoint'])[known].any(axis=-1).all()


def test_masked_joints_stay_masked_in_the_mirror(make_sample):
    sample = NormalizeSkeleton().transform(make_sample('ntu25'))
    np.random.seed(0)
    masked = JointMask(fraction=(0.3, 0.3)).transform(sample)
    mirrored = SkeletonFlip(1.0)({**masked})
    zeros = (mirrored['keypoint'] == 0).all(axis=(0, 1, 3))
    order = LAYOUTS['ntu25'].flip_indices
    assert zeros.sum() == 7 and (zeros != zeros[order]).any()
    jittered = JointJitter(deviation=0.1).transform({**mirrored})['keypoint']
    assert not jittered[:, :, zeros].any() and jittered[:, :, ~zeros].all()
    np.testing.assert_array_equal(mirrored['never_missing'], masked['never_missing'][order])


def test_jitter_of_the_clip_is_one_for_all_its_frames(make_sample):
    sample = make_sample('ntu25', persons=2, frames=40, padding=3)
    offsets = []
    for seed in range(100):
        np.random.seed(seed)
        out = JointJitter(deviation=0, clip_deviation=0.1)({**sample})['keypoint']
        noise = out - sample['keypoint']
        assert not noise[:, 40:].any()
        np.testing.assert_allclose(noise[:, :40], noise[:, :1].repeat(40, axis=1), atol=1e-6)
        offsets.append(noise[:, 0])
    offsets = np.stack(offsets)  # (100, M, V, C)
    assert abs(offsets.std() - 0.1) < 2e-3 and abs(offsets.mean()) < 2e-3
    assert abs(np.corrcoef(offsets[:, 0].ravel(), offsets[:, 1].ravel())[0, 1]) < 0.05


def test_scale(make_sample):
    sample = make_sample(persons=2)
    factors = []
    for seed in range(400):
        np.random.seed(seed)
        out = RandomScale(0.3)({**sample})['keypoint']
        factor = float(out[0, 0, 5, 1] / sample['keypoint'][0, 0, 5, 1])
        np.testing.assert_allclose(out, sample['keypoint'] * factor, rtol=1e-5, atol=1e-6)
        factors.append(factor)
    assert 0.7 <= min(factors) < 0.71 and 1.29 < max(factors) <= 1.3


def test_mask(make_sample):
    sample = make_sample('kinect20', persons=2)
    numbers, joints = [], np.zeros(20)
    np.random.seed(0)
    for _ in range(600):
        out = JointMask((0.1, 0.35))({**sample})['keypoint']
        masked = ~out.any(axis=(0, 1, 3))
        np.testing.assert_array_equal(out[:, :, ~masked], sample['keypoint'][:, :, ~masked])
        numbers.append(masked.sum())
        joints += masked
    assert set(numbers) == {2, 3, 4, 5, 6}
    assert joints.min() > 0.6 * joints.mean()  # none is spared
    same = JointMask((0.3, 0.3))
    assert {int((~same({**sample})['keypoint'].any((0, 1, 3))).sum()) for _ in range(9)} == {6}
