"""BonesAndMotion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.augment import (
    RandomRotation,
    RandomScale,
    RandomShear,
    SkeletonFlip,
)
from mmact_ssl.datasets.transforms.skeleton.common import ToCommonJoints
from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton
from mmact_ssl.datasets.transforms.skeleton.streams import BonesAndMotion
from mmact_ssl.datasets.transforms.skeleton.temporal import ResampleFrames
from mmact_ssl.errors import ConfigError


def twin(clip, parents):
    """Streams (3, M, T, V, C): differences of what is known."""
    clip = clip.astype(float)
    above, known = clip[:, :, list(parents)], clip.any(-1, keepdims=True)
    motion = np.diff(clip, axis=1, prepend=0) * known
    motion[:, 1:] *= known[:, :-1]
    motion[:, 0] = 0
    return np.stack([clip, (clip - above) * known * above.any(-1, keepdims=True), motion])


@settings(max_examples=15)
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    persons=st.integers(1, 2),
    frames=st.integers(1, 6),
    coordinates=st.integers(2, 3),
    seed=st.integers(0, 99),
)
def test_streams(make_sample, layout, persons, frames, coordinates, seed):
    sample = make_sample(layout, persons, frames, coordinates, padding=2, gaps=True, seed=seed)
    expected = twin(sample['keypoint'], LAYOUTS[layout].parents)
    out = BonesAndMotion()({**sample})['keypoint']
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.concatenate(expected, axis=-1), atol=1e-5)
    some = BonesAndMotion(('motion', 'joint'))({**sample})['keypoint']
    np.testing.assert_allclose(some, np.concatenate(expected[[2, 0]], axis=-1), atol=1e-5)
    scaled = BonesAndMotion(('bone', 'motion'), 10.0)({**sample})['keypoint']
    expected[2:] *= 10
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, np.concatenate(expected[1:], axis=-1), atol=1e-4)


@pytest.mark.parametrize('flipped', [False, True])
def test_bones_to_a_joint_in_the_origin_of_a_normalized_clip(make_sample, flipped):
    """Where no joint is missing, streams are the plain differences to the last bit."""
    sample = NormalizeSkeleton()(make_sample('kinect20', persons=2, padding=2))
    if flipped:
        sample = SkeletonFlip(1.0)(sample)
    joint = sample['keypoint'].copy()
    assert not joint[0, 0, 0].any()  # hip center
    out = BonesAndMotion(('bone', 'motion'))(sample)
    expected = np.zeros((*joint.shape[:3], 6), np.float32)
    expected[..., :3] = joint - joint[:, :, list(LAYOUTS['kinect20'].parents)]
    expected[:, 1:12, :, 3:] = joint[:, 1:12] - joint[:, :11]
    np.testing.assert_array_equal(out['keypoint'], expected)
    # Nor do streams of zeros, as the root's bones, become missing joints.
    resampled = ResampleFrames(23)(out)['keypoint']
    middle = (expected[:, :11] + expected[:, 1:12]) / 2
    np.testing.assert_allclose(resampled[:, 1::2], middle, atol=1e-6)


@pytest.mark.parametrize(
    'transform',
    [
        NormalizeSkeleton(),
        ToCommonJoints(),
        *(kind() for kind in (RandomRotation, RandomShear, RandomScale, SkeletonFlip)),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_transforms_of_places_refuse_streams(make_sample, transform):
    """A bone has no place that could be turned or centered."""
    name = type(transform).__name__
    with pytest.raises(ConfigError, match=f'{name}: .* 9 values.*before BonesAndMotion'):
        transform(BonesAndMotion()(make_sample()))
