"""Masked places, patches cut and joined; validity of frames and persons against loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.masks import (
    counted_places,
    hide_masked,
    join_patches,
    resize_map,
    split_patches,
    visible_tokens,
)
from mmact_ssl.models.skeletons import clip_lengths, scale_valid, valid_frames

SIZES = st.tuples(*[st.integers(1, 3)] * 3)


@settings(max_examples=30)
@given(grid=SIZES, sides=SIZES, skeletons=st.booleans())
def test_masked_places_of_a_view_are_zero_and_the_others_stay(grid, sides, skeletons):
    sizes = [places * side for places, side in zip(grid, sides)]
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(2, *grid, generator=generator) < 0.5
    hidden = torch.kron(places, torch.ones(1, *sides, dtype=torch.bool))
    axis = 4 if skeletons else 1
    view = (
        torch.rand(2, *sizes, generator=generator).add(1).unsqueeze(axis).repeat_interleave(3, axis)
    )
    expected = view.masked_fill(hidden.unsqueeze(axis), 0)
    assert torch.equal(hide_masked(view, places.unsqueeze(axis)), expected)


def test_a_mask_that_does_not_divide_the_view_is_refused():
    with pytest.raises(ConfigError, match=r'\(1, 2, 2, 2\) places does not divide a view of'):
        hide_masked(torch.zeros(1, 3, 4, 4, 5), torch.zeros(1, 1, 2, 2, 2, dtype=torch.bool))


def test_unequal_numbers_of_visible_tokens_are_refused():
    mask = torch.tensor([[True, False, True], [True, False, False]])
    with pytest.raises(ConfigError, match=r'\[1, 2\] visible tokens'):
        visible_tokens(torch.zeros(2, 3, 4), mask)


def test_padding_and_absent_persons_do_not_count():
    mask = torch.ones(2, 1, 2, 1, 3, dtype=torch.bool)
    mask[0, 0, 0, 0, 1] = False
    valid = torch.tensor([[True, True, True, False], [True, True, True, True]])
    counted = counted_places(mask, valid)
    assert counted[:, 0, :, 0].tolist() == [
        [[True, False, True], [False] * 3],
        [[True] * 3, [True] * 3],
    ]
    persons = torch.tensor([[[True, True], [False, False]]])
    counted = counted_places(torch.ones(1, 2, 1, 4, 1, dtype=torch.bool), persons)
    assert counted[0, :, 0, :, 0].tolist() == [[True] * 4, [False] * 4]


@settings(max_examples=30)
@given(grid=SIZES, sides=SIZES)
def test_patches_are_the_blocks_of_a_clip_and_join_to_it(grid, sides):
    sizes = tuple(places * side for places, side in zip(grid, sides))
    clip = torch.rand(2, *sizes, 3)
    patches = split_patches(clip, grid)
    assert patches.shape == (2, *grid, sides[0] * sides[1] * sides[2], 3)
    t, y, x = (places - 1 for places in grid)
    a, b, c = sides
    block = clip[1, t * a : t * a + a, y * b : y * b + b, x * c : x * c + c]
    assert torch.equal(patches[1, t, y, x], block.reshape(-1, 3))
    assert torch.equal(join_patches(patches, sizes), clip)


def test_maps_of_other_sizes_are_repeated_or_averaged():
    feature_map = torch.arange(4.0).view(1, 1, 1, 2, 2)
    assert resize_map(feature_map, (1, 2, 2)) is feature_map
    assert resize_map(feature_map, (2, 4, 2))[0, 0, 1, :, 0].tolist() == [0, 0, 2, 2]
    assert resize_map(feature_map, (1, 1, 2)).flatten().tolist() == [1, 2]


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


@settings(max_examples=60)
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


@settings(max_examples=60)
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
