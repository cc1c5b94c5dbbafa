"""Validity of frames and persons against loops over them."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.skeletons import clip_lengths, scale_valid, valid_frames


def slow_valid_frames(x: Tensor) -> Tensor:
    batch, persons, time = x.shape[:3]
    valid = torch.zeros(batch, persons, time, dtype=torch.bool)
    for b in range(batch):
        seen = [(m, t) for m in range(persons) for t in range(time) if x[b, m, t].any()]
        seen = seen or [(0, 0)]
        length = max(t for _, t in seen) + 1
        for m, _ in seen:
            valid[b, m, :length] = True
    return valid


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    persons=st.integers(1, 3),
    time=st.integers(1, 6),
    share_seen=st.sampled_from([0.0, 0.1, 0.4, 1.0]),
)
def test_valid_frames_equal_a_loop(seed, persons, time, share_seen):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, persons, time, 3, 2, generator=generator)
    x = x * (torch.rand(4, persons, time, 1, 1, generator=generator) < share_seen)
    assert torch.equal(valid_frames(x), slow_valid_frames(x))


def test_each_special_clip():
    x = torch.zeros(4, 2, 5, 3, 3)
    x[1, 0, 0, 2, 1] = 1  # one frame, one coordinate
    x[2, 1, 3] = -1  # nobody tracked before frame 3, and only the second person
    x[3, :, 1] = math.nan  # a broken number is not an absence
    valid = valid_frames(x)
    assert clip_lengths(valid).tolist() == [1, 1, 4, 2]
    assert valid.any(2).tolist() == [[True, False], [True, False], [False, True], [True, True]]


@settings(deadline=None, max_examples=60)
@given(time=st.integers(1, 70), strides=st.integers(0, 4), data=st.data())
def test_frames_count_where_strided_convolutions_center_them(time, strides, data):
    length = data.draw(st.integers(1, time))
    valid = (torch.arange(time) < length)[None, None]
    centers = torch.arange(time)
    for _ in range(strides):
        centers = centers[::2]
    assert torch.equal(scale_valid(valid, len(centers)), valid[..., centers])


def test_a_map_of_another_number_of_frames_counts_its_share():
    valid = (torch.arange(10) < 4)[None, None]
    assert int(clip_lengths(scale_valid(valid, 7))) == 3  # of 2.8
    assert int(clip_lengths(scale_valid(valid, 20))) == 8
