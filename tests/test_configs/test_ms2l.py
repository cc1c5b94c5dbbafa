"""MS2L's configs build what is published, and each task and strategy is one change away."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.registry import DATASETS, MODELS
from tests.shipped import TOP_LEVEL, load

PUBLISHED = [name for name in TOP_LEVEL if re.match(r'ms2l(-joint|-moving)?_gru', name)]
TWO_VIEWS = ['ms2l-twoview_gru.py@nwucla', 'ms2l-cameras_gru.py@nwucla']
TASKS = {'motion', 'jigsaw', 'contrast'}


def gru_parameters(inputs: int, hidden: int, layers: int, directions: int) -> int:
    """Three gates, each with input and recurrent weights and two biases."""
    total = 0
    for _ in range(layers):
        total += directions * 3 * (inputs * hidden + hidden * hidden + 2 * hidden)
        inputs = directions * hidden
    return total


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_config_has_the_published_sizes(name: str):
    config = load(name)
    model = MODELS.build(config.model)
    layout = LAYOUTS[config.encoder.options.layout]
    coordinates = layout.num_joints * config.encoder.options.persons * 3
    parameters = sum(value.numel() for value in model.backbone.parameters())
    assert parameters == gru_parameters(coordinates, 300, 2, 2)
    assert set(model.heads) >= TASKS
    decoder = sum(value.numel() for value in model.heads['motion'].decoder.parameters())
    assert decoder == gru_parameters(600, 600, 2, 1)
    assert model.heads['contrast'].loss_module.temperature == 0.9
    small = config.dataset_name in ('nwucla', 'utdmhad-skeleton')
    assert config.train_dataloader.batch_size == (32 if small else 256)
    budget = 3000 if small else 9000
    budget = 2000 if 'classification' in model.heads else budget
    assert config.train_cfg == dict(type='StepsTrainLoop', max_iters=budget)
    assert [step.milestones for step in config.param_scheduler] == [[budget // 2]]
    assert config.model.heads.motion.loss == dict(type='MotionLoss', padded_frames=300)
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-3)


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
    assert balancer.weighted_sum(losses, 0.0) == len(TASKS)
    assert balancer.weighted_sum(losses, 1.0) == 1
    assert balancer.weight('classification', 1.0) == 1
    assert balancer.weight('contrast', 0.5) == 0.5


@pytest.mark.parametrize('name', TWO_VIEWS)
def test_the_two_views_show_what_was_cut_and_turned(name, on_made_set):
    config = on_made_set(name)
    views = DATASETS.build(config.train_dataloader.dataset)[0]['inputs']
    assert views['one'].shape == views['two'].shape == (1, 32, 20, 9)
    assert not torch.allclose(views['one'], views['two'])
