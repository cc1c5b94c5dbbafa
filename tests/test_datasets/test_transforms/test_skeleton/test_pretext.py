"""MaskFuture and ShuffleSegments."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.transforms.skeleton.pretext import MaskFuture, ShuffleSegments


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


def shuffle_twin(clip, frames, segments, choice):
    """Frame by frame, out of segments made as lists."""
    length = frames // segments
    pieces = [[clip[:, s * length + i] for i in range(length)] for s in range(segments)]
    order = list(itertools.permutations(range(segments)))[choice]
    out = [frame for segment in order for frame in pieces[segment]]
    out += [clip[:, t] for t in range(length * segments, clip.shape[1])]
    return np.stack(out, axis=1)


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 20),
    padding=st.integers(0, 3),
    segments=st.integers(2, 4),
    seed=st.integers(0, 999),
)
def test_shuffle(make_sample, frames, padding, segments, seed):
    sample = make_sample(frames=frames, padding=padding, persons=2)
    before = sample['keypoint'].copy()
    np.random.seed(seed)
    out = ShuffleSegments(segments)({**sample})
    choice = out['targets']['permutation']
    assert choice.dtype == np.int64
    np.testing.assert_array_equal(
        out['keypoint'], shuffle_twin(before, frames, segments, int(choice))
    )
    np.testing.assert_array_equal(sample['keypoint'], before)


def test_all_permutations_come_alike(make_sample):
    sample = make_sample(frames=7)
    np.random.seed(0)
    shuffle = ShuffleSegments(3)
    targets = [
        int(shuffle({**sample, 'targets': {}})['targets']['permutation']) for _ in range(1200)
    ]
    counts = np.bincount(targets, minlength=6)
    assert len(counts) == 6 and abs(counts - 200).max() < 50


def test_fewer_frames_than_segments_show_and_say_the_identity(make_sample):
    sample = make_sample(frames=2, padding=5)
    for seed in range(10):
        np.random.seed(seed)
        out = ShuffleSegments(3)({**sample})
        assert out['targets']['permutation'] == 0
        np.testing.assert_array_equal(out['keypoint'], sample['keypoint'])
