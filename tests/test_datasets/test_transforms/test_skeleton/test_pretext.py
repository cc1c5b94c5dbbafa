"""MaskFuture and ShuffleSegments."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton
from mmact_ssl.datasets.transforms.skeleton.pretext import MaskFuture, ShuffleSegments
from mmact_ssl.datasets.transforms.skeleton.streams import BonesAndMotion
from mmact_ssl.datasets.transforms.skeleton.temporal import (
    PadFrames,
    RandomStride,
    ResampleFrames,
    TemporalCrop,
)
from mmact_ssl.errors import ConfigError


@settings(max_examples=40, deadline=None)
@given(frames=st.integers(1, 110), padding=st.integers(0, 3), tenths=st.integers(1, 10))
def test_mask(make_sample, frames, padding, tenths):
    sample = make_sample(frames=frames, padding=padding)
    before = sample['keypoint'].copy()
    out = MaskFuture(keep=tenths / 10)({**sample})['keypoint']
    for t in range(frames):
        kept = t < Fraction(tenths, 10) * frames  # exact, as the paper writes it
        np.testing.assert_array_equal(out[:, t], before[:, t] if kept else 0)
    assert not out[:, frames:].any()
    np.testing.assert_array_equal(sample['keypoint'], before)


@settings(max_examples=40, deadline=None)
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


def test_all_permutations_come_alike(make_sample):
    sample = make_sample(frames=7)
    np.random.seed(0)
    shuffle = ShuffleSegments(3)
    counts = Counter(
        tuple(shuffle({**sample, 'targets': {}})['targets']['permutation']) for _ in range(1200)
    )
    assert len(counts) == 6 and all(abs(count - 200) < 50 for count in counts.values())


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
        (BonesAndMotion(('bone_motion',)), True),
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
