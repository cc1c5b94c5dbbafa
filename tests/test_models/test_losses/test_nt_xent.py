"""NT-Xent against a slow transcription of its formula, row by row."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.nt_xent import nt_xent


def slow_nt_xent(
    first: Tensor, second: Tensor, temperature: float, self_similarity: float | None
) -> tuple[Tensor, list[float]]:
    """The docstring's sum in double precision, and each row's hit."""
    rows = [row / row.norm() for row in (*first.double(), *second.double())]
    num = len(first)
    terms, hits = [], []
    for i, row in enumerate(rows):
        partner = i + num if i < num else i - num
        others = {j: row @ other for j, other in enumerate(rows) if j != i}
        total = sum((value / temperature).exp() for value in others.values())
        if self_similarity is not None:
            total = total + math.exp(self_similarity / temperature)
        terms.append(-torch.log((others[partner] / temperature).exp() / total))
        hits.append(float(max(others, key=lambda j: others[j].item()) == partner))
    return torch.stack(terms).mean(), hits


def make(seed: int, num: int, dim: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(num, dim, generator=generator)
    second = first + torch.randn(num, dim, generator=generator)
    return first.requires_grad_(), second.requires_grad_()


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    num=st.integers(1, 5),
    dim=st.integers(2, 6),
    temperature=st.sampled_from([0.1, 0.9]),
    self_similarity=st.sampled_from([-1.0, None]),
)
def test_equals_the_slow_twin(seed, num, dim, temperature, self_similarity):
    """Value, hits and gradients."""
    first, second = make(seed, num, dim)
    fast = nt_xent(first, second, temperature, self_similarity)
    slow, hits = slow_nt_xent(first, second, temperature, self_similarity)
    torch.testing.assert_close(fast['loss'].mean().double(), slow, rtol=1e-5, atol=1e-5)
    assert fast['hit'].flatten().tolist() == hits
    got = torch.autograd.grad(fast['loss'].mean(), (first, second))
    expected = torch.autograd.grad(slow, (first, second))
    for one, other in zip(got, expected):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
