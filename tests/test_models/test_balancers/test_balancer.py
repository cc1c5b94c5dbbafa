"""Weights of the tasks: constant, scheduled, and by uncertainty, and what reaches what."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.models.balancers.balancer import FixedWeights, ScheduledWeights, UncertaintyWeights


def test_fixed_weights_sum_the_tasks():
    balancer = FixedWeights(dict(pose=2.0, video=0.5, switched_off=9.0))
    losses = dict(pose=torch.tensor(3.0), video=torch.tensor(4.0), context=torch.tensor(1.0))
    for progress in (0.0, 0.5, 1.0):
        assert float(balancer(losses, progress, None, losses)) == 2 * 3 + 0.5 * 4 + 1


def test_scheduled_weights_move_from_first_to_last():
    balancer = ScheduledWeights(dict(pose=(1, 3), context=[2, 0], video=0.5))
    losses = dict(pose=torch.tensor(1.0), context=torch.tensor(10.0), clip_b=torch.tensor(100.0))
    for progress, weight in {0.0: 1.0, 0.25: 1.5, 0.5: 2.0, 1.0: 3.0}.items():
        assert balancer.weight('pose', progress) == pytest.approx(weight)
        assert balancer.weight('video', progress) == 0.5
        assert balancer.weight('clip_b', progress) == 1
        # context falls as pose rises: 2 - (weight - 1)
        total = float(balancer(losses, progress, None, losses))
        assert total == pytest.approx(weight + 10 * (3 - weight) + 100)


def total_of(balancer: UncertaintyWeights, losses: dict, sizes: dict | None = None):
    return balancer(losses, 0.3, None, sizes or {t: v.detach() for t, v in losses.items()})


def make(variances: dict[str, float], weights: dict[str, float] | None = None):
    balancer = UncertaintyWeights(weights, tasks=list(variances))
    with torch.no_grad():
        for task, variance in variances.items():
            balancer.log_variances[task].fill_(variance)
    return balancer


@settings(max_examples=40)
@given(
    sizes=st.lists(st.floats(0.01, 50), min_size=1, max_size=4),
    variances=st.lists(st.floats(-3, 3), min_size=4, max_size=4),
)
def test_value_and_gradients_are_those_of_the_formula(sizes, variances):
    tasks = 'abcd'[: len(sizes)]
    weights = dict(a=0.5, b=2.0)
    balancer = make(dict(zip(tasks, variances)), weights)
    losses = {t: torch.tensor(size, requires_grad=True) for t, size in zip(tasks, sizes)}
    total = total_of(balancer, losses)
    total.backward()
    expected = 0.0
    for task, size, s in zip(tasks, sizes, variances):
        w = weights.get(task, 1.0)
        expected += w * (math.exp(-s) * size + s)
        assert float(losses[task].grad) == pytest.approx(w * math.exp(-s), rel=1e-5)
        slope = float(balancer.log_variances[task].grad)
        assert slope == pytest.approx(w * (1 - math.exp(-s) * size), rel=1e-4, abs=1e-4)
    assert float(total) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_adversarial_losses_are_weighed_but_do_not_count_for_the_variance():
    balancer = make(dict(a=0.7))
    plain, adversarial = (torch.tensor(v, requires_grad=True) for v in (2.0, -9.0))
    total_of(balancer, dict(a=plain + adversarial), dict(a=plain.detach())).backward()
    weight = math.exp(-0.7)
    assert float(plain.grad) == float(adversarial.grad) == pytest.approx(weight)
    assert float(balancer.log_variances['a'].grad) == pytest.approx(1 - weight * 2, abs=1e-6)


def test_a_task_that_is_left_out_has_a_gradient_of_0():
    """Not none, for which distributed training would wait; and the log shows no jump."""
    balancer = make(dict(a=0.7, b=-3.0))
    total = total_of(balancer, dict(a=torch.tensor(2.0), b=torch.tensor(0.0)))
    total.backward()
    assert float(total.detach()) == pytest.approx(math.exp(-0.7) * 2 + 0.7 - 3.0)
    assert float(balancer.log_variances['b'].grad) == 0
    assert float(balancer.log_variances['a'].grad) == pytest.approx(
        1 - math.exp(-0.7) * 2, abs=1e-6
    )
