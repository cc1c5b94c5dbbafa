"""MakeSkeletonViews, MaskFuture and ShuffleSegments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton
from mmact_ssl.datasets.transforms.skeleton.pretext import (
    MakeSkeletonViews,
    MaskFuture,
    ShuffleSegments,
)
from mmact_ssl.datasets.transforms.skeleton.streams import BonesAndMotion
from mmact_ssl.datasets.transforms.skeleton.temporal import (
    PadFrames,
    RandomStride,
    ResampleFrames,
    TemporalCrop,
)
from mmact_ssl.errors import ConfigError


@settings(max_examples=40)
@given(frames=st.integers(1, 110), padding=st.integers(0, 3))
def test_mask(make_sample, frames, padding):
    sample = make_sample(frames=frames, padding=padding)
    before = sample['keypoint'].copy()
    out = MaskFuture()({**sample})['keypoint']
    for t in range(frames):
        kept = 10 * t < 7 * frames
        np.testing.assert_array_equal(out[:, t], before[:, t] if kept else 0)
    assert not out[:, frames:].any()
    np.testing.assert_array_equal(sample['keypoint'], before)


@settings(max_examples=40)
@given(
    frames=st.integers(1, 20),
    padding=st.integers(0, 3),
    segments=st.integers(2, 4),
    seed=st.integers(0, 999),
)
def test_shuffle(make_sample, frames, padding, segments, seed):
    """Frame by frame, out of segments made as lists; nothing stays where it was in the clip."""
    sample = make_sample(frames=frames, padding=padding, persons=2)
    before = sample['keypoint'].copy()
    np.random.seed(seed)
    out = ShuffleSegments(segments)({**sample})
    order, length = out['targets']['permutation'], frames // segments
    if length == 0:
        assert (order == -1).all()
        np.testing.assert_array_equal(out['keypoint'], before[:, :frames])
        return
    pieces = [[before[:, s * length + i] for i in range(length)] for s in range(segments)]
    expected = np.stack([frame for segment in order for frame in pieces[segment]], axis=1)
    np.testing.assert_array_equal(out['keypoint'], expected)
    assert out['valid_frames'] == out['total_frames'] == length * segments
    assert sorted(order) == list(range(segments)) and order.dtype == np.int64
    np.testing.assert_array_equal(sample['keypoint'], before)


@pytest.mark.parametrize('choose', [ShuffleSegments(), RandomStride((1, 2), 4)])
@pytest.mark.parametrize(
    ('earlier', 'is_refused'),
    [
        (NormalizeSkeleton(), True),
        (ResampleFrames(30), True),
        (TemporalCrop(num_frames=30), True),
        (TemporalCrop(warp=0.3), True),
        (TemporalCrop(), False),
        (PadFrames(30), True),
        (BonesAndMotion(('joint', 'bone')), False),
        (BonesAndMotion(('motion',)), True),
    ],
)
def test_what_would_reveal_the_places_of_frames_comes_later(
    make_sample, choose, earlier, is_refused
):
    sample = earlier(make_sample(frames=24))
    name = type(earlier).__name__
    if is_refused:
        with pytest.raises(ConfigError, match=f'put {name} behind {type(choose).__name__}'):
            choose(sample)
    else:
        assert choose(sample)['targets']
    earlier(choose(make_sample(frames=24)))


def test_what_stands_before_is_shared_and_what_stands_inside_is_not(make_sample):
    np.random.seed(0)
    rotation = dict(type='RandomRotation')
    views = MakeSkeletonViews(dict(clip=[], same=[], one=[rotation], two=[rotation]))(
        make_sample()
    )['views']
    np.testing.assert_array_equal(views['clip'], views['same'])
    assert not np.allclose(views['one'], views['two'])


def test_each_view_has_memory_and_targets_of_its_own_beside_those_that_were_loaded(make_sample):
    shuffle = [dict(type='ShuffleSegments')]
    sample = {**make_sample(), 'targets': {'one': {'prompt': 1}}}
    made = MakeSkeletonViews(dict(one=shuffle, two=shuffle, three=[], four=[]))(sample)
    names = {view: set(named) for view, named in made['targets'].items()}
    assert names == dict(
        one={'permutation', 'prompt'}, two={'permutation'}, three=set(), four=set()
    )
    views = made['views']
    views['three'][:] = 0
    np.testing.assert_array_equal(views['four'], sample['keypoint'])
    assert views['four'].any()


def test_a_view_shows_the_other_camera_where_there_is_one(make_sample):
    sample, other = make_sample(frames=10), make_sample(frames=6)
    other['keypoint'] = other['keypoint'] + 1
    resample = [dict(type='ResampleFrames', num_frames=3)]
    views = dict(one=[], two=[], three=resample)
    make = MakeSkeletonViews(views, other_camera=['two', 'three'])
    paired = make({**sample, 'other_camera': other})['views']
    np.testing.assert_array_equal(paired['one'], sample['keypoint'])
    np.testing.assert_array_equal(paired['two'], other['keypoint'])
    resampled = MakeSkeletonViews(dict(three=resample))(other)['views']['three']
    np.testing.assert_array_equal(paired['three'], resampled)
    paired['two'][:] = 0  # its memory is its own
    assert other['keypoint'].any()
    alone = make({**sample, 'other_camera': None})['views']
    np.testing.assert_array_equal(alone['two'], alone['one'])
    with pytest.raises(ConfigError, match='the data set has no performance_pattern'):
        make(sample)
    with pytest.raises(ConfigError, match=r"no view of views: \['four'\]"):
        MakeSkeletonViews(views, other_camera=['four'])
