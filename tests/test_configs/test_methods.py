"""Configs of DTG-Net, HCPG and the rivals: tasks, teachers, weights, queues, optimizers."""

from __future__ import annotations

import pytest
from mmengine.optim import build_optim_wrapper

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
