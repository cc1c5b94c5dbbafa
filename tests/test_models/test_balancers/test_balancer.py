"""Weights of the tasks: their values at the start, the middle and the end."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.models.balancers.balancer import FixedWeights, ScheduledWeights


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
