"""The loop of steps: how long it runs, and when rates fall."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

import mmact_ssl.engine.loops  # noqa: F401  registers the loop


class Numbers(Dataset):
    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> dict:
        return dict(inputs=torch.full((1,), float(index)))


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)

    def forward(self, inputs: list, mode: str = 'tensor') -> dict:
        return dict(loss=self.line(torch.stack(inputs)).square().mean())


class Rates(Hook):
    """The learning rates of each step, in a dict of optimizers those of all."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        for rates in runner.optim_wrapper.get_lr().values():
            self.seen += rates


@pytest.fixture
def train(make_runner, tmp_path: Path):
    """Train on seven samples in batches of two, which are four steps an epoch."""

    def run(**loop) -> list[float]:
        rates = Rates()
        make_runner(
            tmp_path,
            Line(),
            Numbers(),
            [rates],
            train_cfg=dict(type='StepsTrainLoop', **loop),
            param_scheduler=[dict(type='MultiStepLR', by_epoch=False, milestones=[5])],
        ).train()
        return rates.seen

    return run


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
def test_whole_epochs_of_at_least_so_many_steps(train, loop, steps):
    assert train(**loop) == pytest.approx([0.01] * min(5, steps) + [0.001] * (steps - 5))
