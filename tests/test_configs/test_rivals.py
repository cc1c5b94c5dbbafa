"""Optimizers, schedules and batches of the rivals."""

from __future__ import annotations

import pytest
from mmengine.optim import build_optim_wrapper

from tests.shipped import TOP_LEVEL, build, load, parsed

TRANSFORMERS = ('videomae_vit-b_k400.py', 'latent_vit-b_k400.py', 'mamp_stt-base_ntu60-xsub.py')
REDUNDANCY = [name for name in TOP_LEVEL if 'RedundancyHead' in str(parsed(name).model.heads)]


@pytest.mark.parametrize('name', TRANSFORMERS)
def test_only_matrices_decay_at_the_published_sizes(name: str):
    cfg = load(name)
    optimizer = build_optim_wrapper(build(cfg), cfg.optim_wrapper).optimizer
    assert len(optimizer.param_groups) > 100
    for group in optimizer.param_groups:
        for parameter in group['params']:
            assert group['weight_decay'] == (0.05 if parameter.ndim > 1 else 0), parameter.shape


@pytest.mark.parametrize('name', TOP_LEVEL)
def test_a_schedule_ends_at_a_part_of_its_rate(name: str):
    """An absolute one would not follow the rate of another batch (--auto-scale-lr)."""
    assert [part.get('eta_min') for part in parsed(name).param_scheduler if 'eta_min' in part] == []


@pytest.mark.parametrize('name', REDUNDANCY)
def test_statistics_over_clips_are_those_of_whole_batches(name: str):
    loader = load(name).train_dataloader
    if name.endswith('_nwucla.py'):  # 1020 clips, always
        assert 1020 % loader.batch_size > 0.8 * loader.batch_size
    else:
        assert loader.drop_last
