"""MS2L's configs build what is published, and each task and strategy is one change away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_ssl.registry import MODELS
from tests.shipped import load

TASKS = {'motion', 'jigsaw', 'contrast'}


@pytest.mark.parametrize('off', [None, *sorted(TASKS)])
def test_each_task_can_be_switched_off(off, train):
    """The tasks that the config names train, and are tested on unseen clips."""
    changes = {} if off is None else {f'model.heads.{off}': None}
    metrics = train('ms2l_gru.py@nwucla', **changes).test()
    assert {name.split('/')[0] for name in metrics} == TASKS - {off}
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_moving_strategy_ends_with_classification_alone():
    balancer = MODELS.build(load('ms2l-moving_gru.py@nwucla').model.balancer)
    losses = {task: torch.tensor(1.0) for task in (*TASKS, 'classification')}
    assert balancer(losses, 0.0, None, losses) == len(TASKS)
    assert balancer(losses, 1.0, None, losses) == 1
    assert balancer.weight('classification', 1.0) == 1
    assert balancer.weight('contrast', 0.5) == 0.5
