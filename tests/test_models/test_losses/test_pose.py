"""Losses and distances between poses against loops over joints."""

from __future__ import annotations

import math

import pytest
import torch

from mmact_ssl.models.losses import mean_joint_error, weighted_smooth_l1

BETA = 0.3


def make():
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(3, 4, 5, 2, generator=generator)
    target = torch.randn(3, 4, 5, 2, generator=generator)
    weight = torch.rand(3, 4, 5, generator=generator)
    weight[weight < 0.3] = 0
    return prediction, target, weight


def smooth_l1(difference: float) -> float:
    size = abs(difference)
    return size * size / (2 * BETA) if size < BETA else size - BETA / 2


def test_weighted_smooth_l1_equals_a_loop():
    prediction, target, weight = make()
    total = 0.0
    for index in torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(5)).tolist():
        n, t, v = index
        pair = [float(prediction[n, t, v, c] - target[n, t, v, c]) for c in (0, 1)]
        total += float(weight[n, t, v]) * sum(map(smooth_l1, pair)) / 2
    expected = total / float(weight.sum())
    assert float(weighted_smooth_l1(prediction, target, weight, BETA)) == pytest.approx(
        expected, rel=1e-5
    )


def test_unseen_joints_may_hold_anything():
    prediction, target, weight = make()
    variable = prediction.clone().requires_grad_()
    loss = weighted_smooth_l1(variable, target, weight, BETA)
    (gradient,) = torch.autograd.grad(loss, variable)
    for garbage in (math.nan, math.inf, 1e30):
        spoiled = target.masked_fill(weight[..., None] == 0, garbage)
        again = weighted_smooth_l1(variable, spoiled, weight, BETA)
        assert torch.equal(again, loss)
        assert torch.equal(torch.autograd.grad(again, variable)[0], gradient)
        errors = mean_joint_error(prediction, target, weight)
        assert torch.equal(mean_joint_error(prediction, spoiled, weight), errors)
    assert not gradient[weight == 0].any()
    assert gradient[weight > 0].abs().sum() > 0


def test_nothing_seen_is_no_loss():
    prediction, target, weight = make()
    prediction.requires_grad_()
    loss = weighted_smooth_l1(prediction, target * math.nan, weight * 0, BETA)
    loss.backward()
    assert float(loss) == 0
    assert not prediction.grad.any()


def test_mean_joint_error_equals_a_loop():
    prediction, target, weight = make()
    weight[1] = 0
    errors = mean_joint_error(prediction, target, weight)
    for n in (0, 2):
        total = 0.0
        for t in range(4):
            for v in range(5):
                dx, dy = (prediction[n, t, v] - target[n, t, v]).tolist()
                total += float(weight[n, t, v]) * math.hypot(dx, dy)
        assert float(errors[n]) == pytest.approx(total / float(weight[n].sum()), rel=1e-5)
    assert math.isnan(errors[1])
