"""Optimizers and batches of the rivals."""

from __future__ import annotations

import pytest
from mmengine.optim import build_optim_wrapper

from tests.shipped import TOP_LEVEL, build, load, parsed

TRANSFORMERS = ('videomae_vit-b_k400.py', 'mamp_stt-base.py@nwucla')
REDUNDANCY = [name for name in TOP_LEVEL if 'RedundancyHead' in str(parsed(name).model.heads)]


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
