"""The loop of steps: how long it runs, when rates fall, that a resumed run ends the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset


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

    def run(name: str, resume: bool = False, **loop) -> tuple[list[float], torch.Tensor]:
        torch.manual_seed(0)
        rates, model = Rates(), Line()
        make_runner(
            tmp_path / name,
            model,
            Numbers(),
            [rates],
            train_cfg=dict(type='StepsTrainLoop', **loop),
            param_scheduler=[dict(type='MultiStepLR', by_epoch=False, milestones=[5])],
            resume=resume,
        ).train()
        return rates.seen, model.line.weight.detach()

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
    rates, _ = train('run', **loop)
    assert rates == pytest.approx([0.01] * min(5, steps) + [0.001] * (steps - 5))


def test_a_resumed_run_ends_the_same(train):
    whole_rates, whole = train('whole', max_iters=12)
    first, _ = train('parts', max_iters=12, max_epochs=2)
    second, ended = train('parts', resume=True, max_iters=12)
    assert first + second == whole_rates
    assert torch.equal(ended, whole)
