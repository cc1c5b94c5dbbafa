"""Barlow Twins and VICReg against their authors' formulas, how views match, and collapse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
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


def slow_barlow(first: Tensor, second: Tensor, weight: float) -> Tensor:
    """The paper's equations 1 and 2."""
    dim = first.shape[1]
    covariance = torch.cov(torch.cat([first, second], 1).T, correction=0)
    deviation = (covariance.diagonal() + 1e-5).sqrt()
    correlation = covariance[:dim, dim:] / deviation[:dim, None] / deviation[dim:]
    apart = ~torch.eye(dim, dtype=torch.bool)
    invariance = (1 - correlation.diagonal()).square().sum()
    return invariance + weight * correlation[apart].square().sum()


def slow_vicreg(first: Tensor, second: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """The lines of the released code, view by view."""
    total, dim = weights[0] * F.mse_loss(first, second), first.shape[1]
    apart = ~torch.eye(dim, dtype=torch.bool)
    for view in (first, second):
        covariance = torch.cov(view.T).reshape(dim, dim)
        deviation = (view.var(0) + 1e-4).sqrt()
        total = total + weights[1] * F.relu(1 - deviation).mean() / 2
        total = total + weights[2] * covariance[apart].square().sum() / dim
    return total


@settings(max_examples=25)
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
