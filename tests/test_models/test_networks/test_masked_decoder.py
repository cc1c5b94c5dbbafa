"""The decoder of masked places: what it reads, and who sees whom."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.models.networks.masked_decoder import MaskedDecoder, position_codes


def make() -> MaskedDecoder:
    torch.manual_seed(0)
    return MaskedDecoder(6, 5, hidden_dim=12, depth=2, num_heads=2)


def make_mask(*grid: int) -> torch.Tensor:
    return torch.rand(2, *grid, generator=torch.Generator().manual_seed(0)) < 0.7


def test_a_masked_place_sees_the_visible_ones_of_its_own_group():
    decoder, mask = make(), make_mask(2, 3, 4)
    feature_map = torch.randn(2, 6, 2, 3, 4)
    changed = feature_map.clone()
    changed[:, :, 0] += 1  # of the first group
    apart = [decoder(x, mask, groups=2) for x in (feature_map, changed)]
    together = [decoder(x, mask) for x in (feature_map, changed)]
    assert torch.equal(apart[0][:, 1], apart[1][:, 1])
    assert (apart[0][:, 0] != apart[1][:, 0]).any()
    assert (together[0][:, 1] != together[1][:, 1]).any(2).all()


def test_layers_start_apart():
    weights = [layer.linear1.weight for layer in make().blocks.layers]
    assert (weights[0] != weights[1]).any()


@settings(max_examples=30)
@given(grid=st.tuples(*[st.integers(1, 6)] * 3), half=st.integers(6, 20))
def test_every_place_has_a_code_of_its_own_of_sines_and_cosines(grid, half):
    codes = position_codes(grid, 2 * half, torch.device('cpu'))
    places = grid[0] * grid[1] * grid[2]
    assert codes.shape == (places, 2 * half)
    torch.testing.assert_close(codes.square().sum(1), torch.full((places,), float(half)))
    distance = torch.cdist(codes.double(), codes.double()) + 10 * torch.eye(places)
    assert distance.min() > 0.1
