"""Configs of the methods: students, tasks, teachers, weights, queues, optimizers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper

from mmact_ssl.registry import MODELS
from tests.shipped import TOP_LEVEL, build, load, parsed

TRANSFORMERS = ('videomae_vit-b_k400.py', 'mamp_stt-base.py@nwucla')
REDUNDANCY = [name for name in TOP_LEVEL if 'RedundancyHead' in str(parsed(name).model.heads)]


@pytest.mark.parametrize(
    ('option', 'tasks', 'teachers'),
    [
        ('model.heads.guidance=None', {'contrast'}, set()),
        ('model.heads.contrast=None', {'guidance'}, {'imagenet', 'pose'}),
        ('model.heads.guidance.teachers.pose=None', {'guidance', 'contrast'}, {'imagenet'}),
    ],
)
def test_tasks_and_teachers_are_switched_off_on_the_command_line(option, tasks, teachers):
    model = build(load('dtg_r3d18-small.py@jhmdb', [option]))
    assert set(model.heads) == tasks
    if teachers:
        assert set(model.heads['guidance'].projectors) == teachers


@pytest.mark.parametrize('name', ['hcpg_r3d_k400.py', 'hcpg_r3d.py@ucf101'])
def test_large_sets_are_contrasted_with_a_queue(name: str):
    model = build(load(name))
    assert model.encode_names == ('clip',) and model.momentum_views == ('clip_b',)
    for task in ('appearance', 'motion'):
        assert model.heads[task].inputs['key'] == f'clip_b.momentum_{task}'
        assert len(model.heads[task].queue.features) >= 4096
    assert len(model.momentum_pairs()) == 3
    exported = {key for key in model.state_dict() if key.startswith('backbone.')}
    assert len(exported) == len(model.backbone.state_dict())


@pytest.mark.parametrize('name', TRANSFORMERS)
def test_only_matrices_decay_at_the_published_sizes(name: str):
    cfg = load(name)
    optimizer = build_optim_wrapper(build(cfg), cfg.optim_wrapper).optimizer
    assert len(optimizer.param_groups) > 100
    for group in optimizer.param_groups:
        for parameter in group['params']:
            assert group['weight_decay'] == (0.05 if parameter.ndim > 1 else 0), parameter.shape


@pytest.mark.parametrize('name', REDUNDANCY)
def test_statistics_over_clips_are_those_of_whole_batches(name: str):
    assert load(name).train_dataloader.drop_last


def test_r3d18_is_torchvisions():
    """Number for number: torchvision's weights in our student give torchvision's features."""
    from torchvision.models.video import r3d_18

    torch.manual_seed(0)
    twin = r3d_18(weights=None).eval()
    backbone = build(load('csvr_r3d_k400.py')).backbone
    backbone.eval()  # mmaction2's returns nothing
    assert sum(value.numel() for value in backbone.parameters()) == 33_166_272
    theirs = [value for name, value in twin.state_dict().items() if not name.startswith('fc.')]
    ours = backbone.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs]
    backbone.load_state_dict(dict(zip(ours, theirs)), assign=True)
    frames = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        features = twin.layer4(twin.layer3(twin.layer2(twin.layer1(twin.stem(frames)))))
        torch.testing.assert_close(backbone(frames)[-1], features)


TASKS = {'motion', 'jigsaw', 'contrast'}


@pytest.mark.parametrize('off', [None, *sorted(TASKS)])
def test_each_task_can_be_switched_off(off, train):
    """The tasks that the config names train, and are tested on unseen clips."""
    changes = {} if off is None else {f'model.heads.{off}': None}
    metrics = train('ms2l_gru.py', **changes).test()
    assert {name.split('/')[0] for name in metrics} == TASKS - {off}
    assert all(np.isfinite(value) for value in metrics.values())


def test_the_moving_strategy_ends_with_classification_alone():
    balancer = MODELS.build(load('ms2l-moving_gru.py@nwucla').model.balancer)
    losses = {task: torch.tensor(1.0) for task in (*TASKS, 'classification')}
    assert balancer(losses, 0.0, None, losses) == len(TASKS)
    assert balancer(losses, 1.0, None, losses) == 1
    assert balancer.weight('classification', 1.0) == 1
    assert balancer.weight('contrast', 0.5) == 0.5
