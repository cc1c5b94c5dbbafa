"""Masks of joints in segments of time."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.transforms.masks import draw_mask
from mmact_ssl.datasets.transforms.skeleton.joints import known_joints
from mmact_ssl.datasets.transforms.skeleton.masks import MaskJointSegments
from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton
from mmact_ssl.datasets.transforms.skeleton.pretext import MakeSkeletonViews
from mmact_ssl.datasets.transforms.skeleton.streams import BonesAndMotion
from mmact_ssl.errors import ConfigError


@pytest.mark.parametrize('temperature', [None, 0.8])
def test_without_missing_joints_it_is_the_published_draw(make_sample, temperature):
    """Also of a joint that the normalization moves to the origin."""
    sample = NormalizeSkeleton()(make_sample(persons=2, padding=2))
    clip = sample['keypoint'][:, :12]
    assert not clip.any(-1).all(), 'a joint at the origin'
    change = np.abs(np.diff(clip.reshape(2, 4, 3, 20, 3), axis=1)).mean(axis=(2, 4))
    change = np.concatenate([change[:, :1], change], axis=1).reshape(2, -1)
    weights = change / ((temperature or 1) * change.max(axis=1, keepdims=True) + 1e-10)
    np.random.seed(0)
    expected = [draw_mask(80, 0.9, own * (temperature is not None)) for own in weights]
    np.random.seed(0)
    targets = MaskJointSegments(3, 0.9, temperature)(sample)['targets']
    np.testing.assert_array_equal(targets['mask'].reshape(2, -1), expected)
    assert targets['known'].shape == (2, 4, 20, 1) and targets['known'].all()


def test_a_jump_from_or_to_a_missing_joint_is_no_motion(make_sample):
    still = make_sample(frames=6)['keypoint'][:, :1].repeat(6, axis=1)
    still[:, 4:, 1] += 0.01  # moves between the last two segments
    still[:, 2, 0] = 0  # missing in one frame, as if it jumped away and back
    for seed in range(20):
        np.random.seed(seed)
        mask = MaskJointSegments(2, 1 / 60, 0.01)({'keypoint': still})['targets']['mask']
        assert mask[0, 2, 1, 0] and mask.sum() == 1


@pytest.mark.parametrize('seed', range(5))
def test_the_motion_of_a_place_is_known_if_all_of_its_frames_and_the_next_are(make_sample, seed):
    sample = make_sample(persons=2, seed=seed, gaps=True, padding=2)
    sample['keypoint'][:, :, 0] = 0
    sample['never_missing'] = np.arange(20) == 0
    there = known_joints(sample)
    known = MaskJointSegments(3)(sample)['targets']['known']
    for person, segment, joint in np.ndindex(2, 4, 20):
        frames = range(3 * segment, min(3 * segment + 4, 12))  # two frames of padding follow
        expected = all(there[person, frame, joint] for frame in frames)
        assert known[person, segment, joint, 0] == expected
    assert known[..., 1:, 0].any() and not known[..., 1:, 0].all()


def test_a_clip_that_is_no_whole_number_of_segments_is_refused(make_sample):
    with pytest.raises(ConfigError, match='11 frames, not a multiple of segment=4'):
        MaskJointSegments()(make_sample(frames=11, padding=1))


MASK, STREAMS = dict(type='MaskJointSegments', segment=3), dict(type='BonesAndMotion')


@pytest.mark.parametrize('steps', [[STREAMS, MASK], [MASK, STREAMS]])
@pytest.mark.parametrize('streams', [('bone',), ('joint', 'motion')])
def test_no_masked_view_has_values_computed_from_masked_joints(make_sample, steps, streams):
    steps = [dict(step, streams=streams) if step is STREAMS else step for step in steps]
    with pytest.raises(ConfigError, match=f"masked view 'seen' has {streams[-1]} of"):
        MakeSkeletonViews(dict(whole=[STREAMS], seen=steps))(make_sample(frames=12))


def test_streams_before_the_views_reach_no_masked_view(make_sample):
    sample = BonesAndMotion()(make_sample(frames=12))
    with pytest.raises(ConfigError, match='has bone, motion of BonesAndMotion'):
        MakeSkeletonViews(dict(seen=[MASK]))(sample)
    MakeSkeletonViews(dict(seen=[]))(sample)
