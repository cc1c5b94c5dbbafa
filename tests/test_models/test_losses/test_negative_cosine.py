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


def test_the_constant_answer_is_the_best_one():
    _, targets = make(1, 2, 5, 4)
    best = NegativeCosineLoss()(targets, targets)['constant'].sum(1)
    for seed in range(50):
        direction = torch.randn(1, 1, 4, generator=torch.Generator().manual_seed(seed))
        other = NegativeCosineLoss()(direction.expand(2, 5, 4), targets)['loss'].sum(1)
        assert (other >= best - 1e-5).all()


def test_collapsed_features_are_at_chance_and_no_better_than_the_constant_answer():
    one = torch.ones(2, 8, 4)
    found = NegativeCosineLoss()(one, one)
    assert float(found['hit'].mean()) == 1 / 8
    torch.testing.assert_close(found['loss'], found['constant'])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision_does_not_touch_the_cosines(dtype):
    predictions, targets = make(2, 2, 6, 8)
    expected = NegativeCosineLoss()(predictions, targets)['loss']
    with torch.autocast('cpu', dtype=dtype):
        assert torch.equal(NegativeCosineLoss()(predictions, targets)['loss'], expected)
    half = NegativeCosineLoss()(predictions.to(dtype), targets.to(dtype))['loss']
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, rtol=0.1, atol=0.02)
