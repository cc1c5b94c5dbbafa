"""Barlow Twins and VICReg against their authors' formulas, how views match, and collapse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.redundancy import BarlowTwinsLoss, VICRegLoss
from mmact_ssl.models.losses.statistics import effective_rank, feature_std, view_accuracy


def make(seed: int, num: int, dim: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = 3 + torch.randn(num, dim, generator=generator)
    second = first + torch.randn(num, dim, generator=generator)
    return first.requires_grad_(), second.requires_grad_()


def deviation(values: list[Tensor], unbiased: bool) -> Tensor:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - unbiased)


def slow_barlow(first: Tensor, second: Tensor, weight: float) -> Tensor:
    """Correlation by correlation, as in the paper's equations 1 and 2."""
    num, dim = first.shape

    def normal(values: Tensor) -> Tensor:
        return (values - sum(values) / num) / (deviation([*values], False) + 1e-5).sqrt()

    total = 0.0
    for i in range(dim):
        for j in range(dim):
            one, two = normal(first[:, i]), normal(second[:, j])
            correlation = sum(a * b for a, b in zip(one, two)) / num
            total = total + ((1 - correlation) ** 2 if i == j else weight * correlation**2)
    return total


def slow_vicreg(first: Tensor, second: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """The lines of the released code, number by number."""
    num, dim = first.shape
    invariance = sum((a - b) ** 2 for a, b in zip(first.flatten(), second.flatten())) / (num * dim)
    variance, covariance = 0.0, 0.0
    for view in (first, second):
        for i in range(dim):
            std = (deviation([*view[:, i]], True) + 1e-4).sqrt()
            variance = variance + (1 - std).clamp(min=0) / dim / 2
            for j in set(range(dim)) - {i}:
                one, two = (view[:, k] - sum(view[:, k]) / num for k in (i, j))
                product = sum(a * b for a, b in zip(one, two)) / (num - 1)
                covariance = covariance + product**2 / dim
    return weights[0] * invariance + weights[1] * variance + weights[2] * covariance


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), num=st.integers(2, 6), dim=st.integers(1, 4))
@pytest.mark.parametrize('name', ['barlow', 'vicreg'])
def test_equals_the_slow_twin(name, seed, num, dim):
    """Value and gradients."""
    first, second = make(seed, num, dim)
    twins = first.detach().double().requires_grad_(), second.detach().double().requires_grad_()
    if name == 'barlow':
        found = BarlowTwinsLoss(0.03)(first, second)
        expected = slow_barlow(*twins, 0.03)
    else:
        found = VICRegLoss(20.0, 15.0, 2.0)(first, second)
        expected = slow_vicreg(*twins, (20.0, 15.0, 2.0))
    torch.testing.assert_close(found['loss'].double(), expected, rtol=1e-3, atol=1e-4)
    got = torch.autograd.grad(found['loss'], (first, second))
    for one, other in zip(got, torch.autograd.grad(expected, twins)):
        torch.testing.assert_close(one.double(), other, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize('loss', [BarlowTwinsLoss(), VICRegLoss()])
def test_a_single_sample_is_finite(loss):
    first, second = make(0, 1, 3)
    value = loss(first, second)['loss']
    value.backward()
    assert value.isfinite() and first.grad.isfinite().all()


def test_views_that_match_and_views_that_do_not():
    generator = torch.Generator().manual_seed(0)
    one, two = (3 + 5 * torch.randn(4000, 6, generator=generator) for _ in range(2))
    assert view_accuracy(one, 2 * one - 1).all()
    assert float(view_accuracy(one, two).mean()) < 0.01
    near, noise = one[:500, :2], 0.01 * torch.randn(500, 2, generator=generator)
    with torch.autocast('cpu', torch.bfloat16):
        mixed = view_accuracy(near, near + noise)
    assert mixed.equal(view_accuracy(near, near + noise))
    assert float(view_accuracy(torch.ones(8, 3), torch.ones(8, 3)).mean()) == 1 / 8


def test_deviation_and_effective_rank_equal_their_formulas():
    values = np.random.default_rng(0).normal(1, 1, (9, 5))
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    expected = np.mean(unit.std(0)) * math.sqrt(5)
    assert float(feature_std(torch.tensor(values))) == pytest.approx(expected)
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    share = singular / singular.sum()
    expected = np.exp(-(share * np.log(share)).sum())
    for size in (1, 1e-6):  # whatever the unit
        assert float(effective_rank(torch.tensor(size * values))) == pytest.approx(expected)


def test_a_diverged_run_shows_as_nan_instead_of_ending():
    for wrong in (math.nan, math.inf):
        values = torch.randn(6, 4)
        values[2, 1] = wrong
        assert math.isnan(effective_rank(values))
        assert math.isnan(feature_std(values))
