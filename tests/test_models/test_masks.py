"""Masked places: hidden, left out, put back, counted; patches cut and joined."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.masks import (
    check_grid,
    counted_places,
    hide_masked,
    join_patches,
    resize_map,
    split_patches,
    spread_tokens,
    visible_tokens,
)

SIZES = st.tuples(*[st.integers(1, 3)] * 3)


@settings(max_examples=30, deadline=None)
@given(grid=SIZES, sides=SIZES, skeletons=st.booleans())
def test_masked_places_of_a_view_are_zero_and_the_others_stay(grid, sides, skeletons):
    sizes = [places * side for places, side in zip(grid, sides)]
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(2, *grid, generator=generator) < 0.5
    if skeletons:
        view, mask = torch.rand(2, *sizes, 3, generator=generator) + 1, places[..., None]
        axes = (1, 2, 3)
    else:
        view, mask = torch.rand(2, 3, *sizes, generator=generator) + 1, places[:, None]
        axes = (2, 3, 4)
    hidden = hide_masked(view, mask)
    moved = hidden.movedim(axes, (1, 2, 3)), view.movedim(axes, (1, 2, 3))
    for index in torch.cartesian_prod(torch.arange(2), *map(torch.arange, sizes)).tolist():
        clip, *at = index
        is_masked = places[(clip, *(x // side for x, side in zip(at, sides)))]
        expected = torch.zeros(3) if is_masked else moved[1][tuple(index)]
        assert torch.equal(moved[0][tuple(index)], expected)


def test_a_mask_that_does_not_divide_the_view_is_refused():
    with pytest.raises(ConfigError, match=r'\(1, 2, 2, 2\) places does not divide a view of'):
        hide_masked(torch.zeros(1, 3, 4, 4, 5), torch.zeros(1, 1, 2, 2, 2, dtype=torch.bool))


def test_visible_tokens_go_back_to_their_places_and_masked_ones_get_their_mean():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(3, 7, 2, generator=generator, requires_grad=True)
    mask = torch.rand(3, 7, generator=generator).argsort(1) < 4
    visible = visible_tokens(tokens, mask)
    spread = spread_tokens(visible, mask)
    for sample, hidden, own, whole in zip(tokens, mask, visible, spread):
        assert torch.equal(own, sample[~hidden]) and torch.equal(whole[~hidden], own)
        torch.testing.assert_close(whole[hidden], own.mean(0).expand(4, 2))
    torch.testing.assert_close(spread.mean(1), visible.mean(1))
    spread.square().sum().backward()
    assert torch.equal(tokens.grad.any(2), ~mask)


def test_unequal_numbers_of_visible_tokens_and_other_grids_are_refused():
    mask = torch.tensor([[True, False, True], [True, False, False]])
    with pytest.raises(ConfigError, match=r'\[1, 2\] visible tokens'):
        visible_tokens(torch.zeros(2, 3, 4), mask)
    check_grid(torch.Size((4, 8, 8)), (4, 8, 8), '')
    with pytest.raises(
        ConfigError, match=r'\(1, 16, 16\) places, .* one of \(4, 8, 8\) tokens: fix'
    ):
        check_grid(torch.Size((1, 16, 16)), (4, 8, 8), 'fix')


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


@settings(max_examples=30, deadline=None)
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
