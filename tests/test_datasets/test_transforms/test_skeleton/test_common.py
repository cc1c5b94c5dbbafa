"""ToCommonJoints: places, means, missing joints, flips and pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmact_ssl.datasets.layouts import COMMON, LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.augment import SkeletonFlip
from mmact_ssl.datasets.transforms.skeleton.common import ToCommonJoints

every_layout = pytest.mark.parametrize('layout', LAYOUTS)
NAMES = LAYOUTS[COMMON].names


def make(layout, persons=2, frames=3, coordinates=3, seed=0, missing=0.0, dtype=np.float32):
    random = np.random.default_rng(seed)
    shape = persons, frames, LAYOUTS[layout].num_joints, coordinates
    keypoint = random.normal(size=shape).astype(dtype)
    keypoint[random.random(shape[:3]) < missing] = 0
    return dict(keypoint=keypoint, layout=layout)


def convert(sample):
    return ToCommonJoints()(dict(sample))


def by_hand(frame, layout):
    """One frame (V, C) as {common joint: place}, by names and plain Python floats."""
    joints = dict(zip(LAYOUTS[layout].names, frame.astype(float).tolist()))
    heads = {'coco17': 'nose left_ear right_ear', 'jhmdb15': 'face'}
    heads |= dict.fromkeys(('openpose25', 'mediapipe33'), heads['coco17'])
    parts = {'head': heads.get(layout, 'head').split()}
    if layout != COMMON:
        parts |= {'neck': ['left_shoulder', 'right_shoulder'], 'mid_hip': ['left_hip', 'right_hip']}
    places = {}
    for name in NAMES:
        seen = [joints[part] for part in parts.get(name, [name]) if any(joints[part])]
        places[name] = [sum(axis) / len(seen) for axis in zip(*seen)] if seen else [0.0, 0.0, 0.0]
    return places


@every_layout
@pytest.mark.parametrize('missing', [0.0, 0.4])
def test_each_common_joint_is_the_mean_of_its_known_joints(layout, missing):
    sample = make(layout, missing=missing, dtype=np.float64)
    out = convert(sample)
    assert out['layout'] == COMMON and out['keypoint'].shape == (2, 3, 15, 3)
    for person, frame in np.ndindex(2, 3):
        expected = by_hand(sample['keypoint'][person, frame], layout)
        for name, place in zip(NAMES, out['keypoint'][person, frame]):
            np.testing.assert_allclose(place, expected[name], rtol=1e-12, atol=1e-12)


@given(
    layout=st.sampled_from(list(LAYOUTS)),
    coordinates=st.sampled_from([2, 3]),
    persons=st.integers(1, 2),
    frames=st.integers(1, 4),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 99),
)
def test_a_flip_may_come_before_or_after(layout, coordinates, persons, frames, missing, seed):
    sample = make(layout, persons, frames, coordinates, seed, missing)
    flip = SkeletonFlip(flip_ratio=1.0)
    before = convert(flip(dict(sample)))['keypoint']
    after = flip(convert(sample))['keypoint']
    assert before.dtype == after.dtype == np.float32
    np.testing.assert_allclose(before, after, rtol=0, atol=1e-6)


@every_layout
def test_a_picture_is_the_front_of_a_body(layout):
    """Joints seen from in front, y down, become the body without its depth."""
    body = make(layout)
    picture = dict(body, keypoint=body['keypoint'][..., :2] * np.float32([1, -1]))
    expected = convert(body)['keypoint'] * np.float32([1, 1, 0])
    np.testing.assert_array_equal(convert(picture)['keypoint'], expected)
