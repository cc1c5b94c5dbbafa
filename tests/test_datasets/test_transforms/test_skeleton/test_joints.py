"""Parts of the body and the way to its root."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.augment import SkeletonFlip
from mmact_ssl.datasets.transforms.skeleton.common import ToCommonJoints
from mmact_ssl.datasets.transforms.skeleton.joints import (
    known_joints,
    never_missing,
    root_at_zero,
    transform_points,
)
from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton
from mmact_ssl.datasets.transforms.skeleton.streams import BonesAndMotion
from mmact_ssl.errors import DataError


def test_zeros_are_missing_unless_the_joint_never_is(make_sample):
    layout = LAYOUTS['kinect20']
    sample = make_sample(persons=2, frames=4, padding=2)
    sample['keypoint'][1, 1] = 0  # nobody
    known = known_joints(sample)
    assert known[0, :4].all() and not known[1, 1].any() and not known[:, 4:].any()
    assert never_missing(known, layout).all()

    sample['keypoint'][1, 2, layout.index('left_wrist')] = 0
    known = known_joints(sample)
    assert known.sum() == 7 * 20 - 1
    always = never_missing(known, layout)
    wrists = layout.index('left_wrist', 'right_wrist')  # both, so that a flip changes nothing
    assert np.flatnonzero(~always).tolist() == sorted(wrists)

    sample['never_missing'] = always
    sample['keypoint'][0, 0, [0, wrists[1]]] = 0
    assert known_joints(sample)[0, 0, 0] and not known_joints(sample)[0, 0, wrists[1]]
    np.testing.assert_array_equal(known_joints(sample)[:, 1:], known[:, 1:])


@pytest.mark.parametrize('coordinates', [2, 3])
@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_root_at_zero_is_known(make_sample, layout, coordinates):
    """Clips whose root stands still are the same after normalization, wherever their zero is."""
    middle = np.flatnonzero(layout.flip_indices == np.arange(layout.num_joints))
    for root in middle.tolist():
        sample = make_sample(layout.name, 2, 6, coordinates, seed=root)
        sample['keypoint'][1, 2] = 0  # the second person is away
        keypoint = sample['keypoint'] - 3 * (sample['keypoint'] != 0)  # zero is among the joints
        keypoint[0, :, root] = 0.01
        rooted = np.where(keypoint.any(-1, keepdims=True), keypoint - keypoint[:1, :, [root]], 0)
        found = root_at_zero(rooted, layout)
        assert np.flatnonzero(found['never_missing']).tolist() == [root]
        expected = NormalizeSkeleton()({**sample, 'keypoint': keypoint})['keypoint']
        out = NormalizeSkeleton()({**sample, 'keypoint': rooted, **found})['keypoint']
        np.testing.assert_allclose(out, expected, atol=2e-4)
        common = ToCommonJoints()({**sample, 'keypoint': rooted, **found})
        assert known_joints(common)[0].all()
        assert not root_at_zero(keypoint, layout)


@pytest.mark.parametrize('coordinates', [2, 3])
@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=lambda layout: layout.name)
def test_a_joint_that_the_sensor_never_saw_stays_missing(make_sample, layout, coordinates):
    keypoint = make_sample(layout.name, 1, 6, coordinates)['keypoint']
    for joint in range(layout.num_joints):
        unseen = keypoint + 3  # far from zero, as in pixels or a camera's meters
        unseen[:, :, joint] = 0
        assert not root_at_zero(unseen, layout)
    around = keypoint - 3
    for start, end in layout.edges:  # near zero, but the neighbor was not seen either
        unseen = around.copy()
        unseen[:, :, [start, end]] = 0
        assert not root_at_zero(unseen, layout)
    for joint in np.flatnonzero(layout.flip_indices != np.arange(layout.num_joints)):
        unseen = around.copy()
        unseen[:, :, joint] = 0
        assert not root_at_zero(unseen, layout)


def test_a_wrong_layout_is_named(make_sample):
    sample = make_sample('kinect20')
    for transform in (SkeletonFlip(), BonesAndMotion(), NormalizeSkeleton()):
        wrong = f"^{type(transform).__name__}: a01_s02 has layout 'kinect21'.*kinect20"
        with pytest.raises(DataError, match=wrong):
            transform({**sample, 'layout': 'kinect21'})


@given(
    shape=st.lists(st.integers(1, 5), min_size=0, max_size=3),
    coordinates=st.sampled_from([2, 3]),
    seed=st.integers(0, 99),
)
def test_each_point_is_multiplied_by_the_matrix(shape, coordinates, seed):
    random = np.random.RandomState(seed)
    points = random.randn(*shape, coordinates)
    matrix = random.randn(coordinates, coordinates)
    moved = transform_points(points, matrix)
    for place in np.ndindex(*shape):
        np.testing.assert_allclose(moved[place], matrix @ points[place], atol=1e-12)
