"""The loop of steps: how long it runs, and when rates fall."""

from __future__ import annotations

import pytest
import torch

import mmact_ssl.engine.loops  # noqa: F401  registers the loop
from tests.test_engine.test_runner import Rates
from tests.test_io.test_checkpoint_file import OneWeight


@pytest.mark.parametrize(
    ('loop', 'steps'),
    [
        (dict(max_iters=10), 12),
        (dict(max_iters=12), 12),
        (dict(max_iters=1), 4),
        (dict(max_iters=10, max_epochs=2), 8),
        (dict(max_iters=10, max_epochs=9), 12),
    ],
)
def test_whole_epochs_of_at_least_so_many_steps(make_runner, tmp_path, loop, steps):
    """On seven samples in batches of two, which are four steps an epoch."""
    found = Rates()
    make_runner(
        tmp_path,
        OneWeight(),
        [dict(inputs=torch.ones(1))] * 7,
        [found],
        train_cfg=dict(type='StepsTrainLoop', **loop),
        param_scheduler=[dict(type='MultiStepLR', by_epoch=False, milestones=[5])],
    ).train()
    assert found.rates == pytest.approx([0.01] * min(5, steps) + [0.001] * (steps - 5))
