"""Frames and poses move together."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.geometry import HorizontalFlip, WholeFrameBox
from mmact_ssl.datasets.transforms.views import TransformViews
from mmact_ssl.targets.cache import TargetMeta

TRANSFORMS = [
    {'type': 'mmaction.RandomResizedCrop', 'area_range': (0.4, 1.0)},
    {'type': 'mmaction.Resize', 'scale': (112, 112), 'keep_ratio': False},
    {'type': 'HorizontalFlip', 'layout': 'coco17'},
]


def find_dot(image):
    """Center (x, y) of the brightness, in continuous pixels, or None if there is none."""
    weight = image[..., 1].astype(float)
    if weight.max() < 100:
        return None
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    joint=st.integers(0, 16),
    x=st.integers(8, 160),
    y=st.integers(8, 118),
)
def test_a_dot_at_a_joint_stays_at_the_joint(seed, joint, x, y):
    image = np.zeros((128, 170, 3), np.uint8)
    image[y - 4 : y + 4, x - 4 : x + 4] = 255  # centered on (x, y) in continuous pixels
    pose = np.zeros((1, 17, 3), np.float32)
    pose[0, joint] = x, y, 1
    random.seed(seed)
    np.random.seed(seed % 2**32)
    results = TransformViews(views=('clip', 'future'), transforms=TRANSFORMS).transform(
        {
            'views': {'clip': [image.copy()], 'future': [image.copy()]},
            'targets': {'clip': {'pose': pose.copy()}, 'future': {'pose': pose.copy()}},
            'target_meta': {'pose': TargetMeta('pose', 'coco17', 'f')},
        }
    )
    for view in ('clip', 'future'):
        after = results['targets'][view]['pose'][0]
        found = np.flatnonzero(after[:, 2])
        assert len(found) == 1  # scores of 0 stay 0, and the score goes with its joint
        place = after[found[0], :2]
        assume((place > 12).all() and (place < 100).all())  # the whole dot is in the picture
        dot = find_dot(results['views'][view][0])
        assert dot is not None
        np.testing.assert_allclose(dot, place, atol=0.35)
        assert found[0] in (joint, LAYOUTS['coco17'].flip_indices[joint])


def flip(keypoint, layout='coco17', ratio=1.0):
    images = [np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)]
    score = np.arange(keypoint.shape[2], dtype=np.float32)[None, None] + 1
    return HorizontalFlip(layout=layout, flip_ratio=ratio).transform(
        {'imgs': images, 'img_shape': (5, 8), 'keypoint': keypoint, 'keypoint_score': score}
    )


@pytest.mark.parametrize('layout', LAYOUTS)
def test_left_and_right_change_places(layout):
    joints = LAYOUTS[layout].num_joints
    before = np.random.RandomState(0).rand(1, 1, joints, 2) * [8, 5]
    given = before.copy()
    after = flip(given, layout)
    np.testing.assert_array_equal(given, before)
    for one, other in enumerate(LAYOUTS[layout].flip_indices):
        np.testing.assert_allclose(
            after['keypoint'][0, 0, one], [8, 0] + before[0, 0, other] * [-1, 1]
        )
        assert after['keypoint_score'][0, 0, one] == other + 1
    twice = flip(after['keypoint'].copy(), layout)
    np.testing.assert_allclose(twice['keypoint'], before)


def test_joints_on_the_left_edge_go_to_the_right_edge():
    keypoint = np.zeros((1, 1, 17, 2))
    assert (flip(keypoint)['keypoint'][..., 0] == 8).all()


def test_the_probability_is_kept():
    np.random.seed(0)
    flips = [flip(np.zeros((1, 1, 17, 2)), ratio=0.3)['flip'] for _ in range(2000)]
    assert abs(np.mean(flips) - 0.3) < 0.04


def test_poses_of_another_layout_are_refused():
    with pytest.raises(ValueError, match="20 joints, layout 'coco17' has 17"):
        flip(np.zeros((1, 1, 20, 2)))


def test_whole_frame_box():
    results = WholeFrameBox()({'img': np.zeros((30, 40, 3)), 'bbox': np.ones((1, 4))})
    np.testing.assert_array_equal(results['bbox'], [[0, 0, 40, 30]])
