"""Projectors: their normalization is torch's own, but for a batch of one row; their layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmact_ssl.models.networks.projector import Prototypes, RowNorm, make_projector


def test_rows_are_normalized_as_torch_does_and_one_alone_by_the_running_statistics():
    torch.manual_seed(0)
    own, known = RowNorm(3).double(), nn.BatchNorm1d(3).double()
    rows = 2 + 3 * torch.randn(5, 3).double()
    assert torch.equal(own(rows), known(rows))
    before = {name: value.clone() for name, value in own.state_dict().items()}
    assert torch.equal(own(rows[:1]), known.eval()(rows[:1]))
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())
    assert before.keys() == known.state_dict().keys()


def test_prototypes_are_directions():
    torch.manual_seed(0)
    layer, rows = Prototypes(4, 3), torch.randn(5, 4)
    found = layer(rows)
    for i, row in enumerate(rows):
        for k, weight in enumerate(layer.weight):
            cosine = row @ weight / (row.norm() * weight.norm())
            torch.testing.assert_close(found[i, k], cosine)
    torch.testing.assert_close(layer(7 * rows), found)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_cosines_with_prototypes_are_not_rounded_in_mixed_precision(dtype):
    """DINO divides them by 0.04."""
    torch.manual_seed(0)
    layer, rows = Prototypes(64, 8), torch.randn(5, 64).to(dtype)
    with torch.autocast('cpu', dtype):
        found = layer(rows)
    torch.testing.assert_close(found, layer(rows.float()))


def test_hidden_layers_are_as_many_as_asked_for_and_one_by_default():
    for hidden_layers, final_bn in ((1, False), (3, True)):
        layers = make_projector(4, 8, 2, final_bn, hidden_layers)
        kinds = [type(layer).__name__ for layer in layers]
        hidden = ['Linear', 'RowNorm', 'ReLU'] * hidden_layers
        assert kinds == [*hidden, 'Linear', *['RowNorm'] * final_bn]
        assert layers(torch.randn(3, 4)).shape == (3, 2)
    assert [*map(type, make_projector(4, 0, 2, hidden_layers=3))] == [nn.Linear]
