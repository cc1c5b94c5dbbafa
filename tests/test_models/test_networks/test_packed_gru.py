"""A GRU over a padded batch equals the GRU over each sequence alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mmact_ssl.models.networks import packed_gru
from mmact_ssl.models.networks.packed_gru import run_packed_gru


def one_by_one(gru: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
    output = x.new_zeros(*x.shape[:2], gru.hidden_size * (1 + gru.bidirectional))
    for b, length in enumerate(lengths.tolist()):
        output[b, :length] = gru(x[b : b + 1, :length])[0][0]
    return output


def make(seed: int, lengths: list[int], layers: int = 2, bidirectional: bool = True):
    torch.manual_seed(seed)
    gru = nn.GRU(5, 4, layers, batch_first=True, bidirectional=bidirectional).double()
    x = torch.randn(len(lengths), max(lengths) + seed % 3, 5, dtype=torch.double)
    return gru, x, torch.tensor(lengths)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
)
def test_equals_each_sequence_alone(seed, lengths, layers, bidirectional):
    """Outputs, and gradients of the input and of every parameter."""
    gru, x, lengths = make(seed, lengths, layers, bidirectional)
    x.requires_grad_()
    results = []
    for run in (run_packed_gru, one_by_one, packed_gru._run_torch):
        output = run(gru, x, lengths)
        weight = torch.linspace(-1, 1, output.numel(), dtype=torch.double).view_as(output)
        gradients = torch.autograd.grad((output * weight).sum(), [x, *gru.parameters()])
        results.append([output, *gradients])
    for other in results[1:]:
        for one, two in zip(results[0], other):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision_keeps_states_in_single_precision(dtype):
    gru, x, lengths = make(1, [6, 2, 4])
    gru, x = gru.float(), x.float()
    expected = run_packed_gru(gru, x, lengths)
    with torch.autocast('cpu', dtype=dtype):
        assert torch.equal(run_packed_gru(gru, x, lengths), expected)
        half = run_packed_gru(gru, x.to(dtype), lengths)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, rtol=0, atol=0.02)
