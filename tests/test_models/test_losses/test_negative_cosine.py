"""The cosine distance of predictions against a slow transcription, row by row."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.negative_cosine import NegativeCosineLoss


def make(seed: int, pairs: int, num: int, dim: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randn(pairs, num, dim, generator=generator)
    predictions = targets + torch.randn(pairs, num, dim, generator=generator)
    return predictions.requires_grad_(), targets.requires_grad_()


def cosine(one: Tensor, other: Tensor) -> Tensor:
    return one @ other / (one.norm() * other.norm())


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    pairs=st.integers(1, 3),
    num=st.integers(1, 5),
    dim=st.integers(2, 6),
)
def test_equals_the_slow_twin(seed, pairs, num, dim):
    """Value, hits, the constant answer and gradients."""
    predictions, targets = make(seed, pairs, num, dim)
    found = NegativeCosineLoss()(predictions, targets)
    total = torch.zeros((), dtype=torch.float64)
    for pair, (rows, aims) in enumerate(zip(predictions.double(), targets.detach().double())):
        best = sum(aim / aim.norm() for aim in aims)
        for i, (row, aim) in enumerate(zip(rows, aims)):
            distance = 1 - cosine(row, aim)
            assert float(found['loss'][pair, i]) == pytest.approx(float(distance), abs=1e-5)
            nearest = max(range(num), key=lambda j: float(cosine(row, aims[j])))
            assert float(found['hit'][pair, i]) == (nearest == i)
            constant = 1 - cosine(best, aim)
            assert float(found['constant'][pair, i]) == pytest.approx(float(constant), abs=1e-4)
            total = total + distance
    (expected,) = torch.autograd.grad(total, predictions)
    found['loss'].sum().backward()
    torch.testing.assert_close(predictions.grad, expected, rtol=1e-4, atol=1e-5)
    assert targets.grad is None, 'targets are stopped'
