"""Buffers of two processes: statistics are averaged, numbers of videos stay."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from mmact_ssl.models.momentum.queue import FeatureQueue
from mmact_ssl.registry import HOOKS
from tests.helpers.processes import in_two_processes

VIDEOS = torch.tensor([[3118893177], [2223415753]])  # more bits than float32 has


def synchronized(rank: int, folder: Path) -> dict[str, torch.Tensor]:
    model = nn.ModuleDict(dict(norm=nn.BatchNorm1d(2), queue=FeatureQueue(4, 2)))
    model['norm'].running_mean.fill_(float(rank))
    model['queue'].enqueue(torch.full((2, 2), 0.5), VIDEOS + rank)
    HOOKS.build(dict(type='SyncBuffersHook')).after_train_epoch(SimpleNamespace(model=model))
    return model.state_dict()


def test_statistics_are_averaged_and_numbers_of_videos_stay(tmp_path: Path):
    for state in in_two_processes(synchronized, tmp_path):
        assert state['norm.running_mean'].tolist() == [0.5, 0.5]
        assert torch.equal(state['queue.labels'], torch.cat([VIDEOS, VIDEOS + 1]))
        assert state['queue.features'].eq(0.5).all() and state['queue.filled'].all()
