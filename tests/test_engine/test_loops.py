"""The loop of steps: how long it runs, and when rates fall."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

from mmact_ssl.engine.runner import PretrainRunner


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


class Warnings(logging.Handler):
    """The warnings of mmengine's current logger, about the length of a run."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if 'max_iters=' in record.getMessage() or '.end=' in record.getMessage():
            self.seen.append(record.getMessage())


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


COSINE = dict(type='CosineAnnealingLR', begin=1, by_epoch=False)
BY_EPOCH = dict(COSINE, by_epoch=True, convert_to_iter_based=True)
WARM_UP = dict(type='LinearLR', start_factor=0.5, begin=0, end=1, by_epoch=False)


@pytest.mark.parametrize(
    ('loop', 'schedule', 'warning'),
    [
        (
            dict(max_iters=9),
            dict(COSINE, end=9),
            '=9 becomes 12 steps, .* for the other 3: .* of 4',
        ),
        (dict(max_iters=11), dict(COSINE, end=11), ''),
        (dict(max_iters=12), dict(COSINE, end=9), '1.end=9, .* 12 steps, so the last 3 keep'),
        (dict(max_iters=12), dict(COSINE, end=20), '1.end=20, .* so it stops .* set .*1.end=12'),
        (dict(max_iters=12, max_epochs=2), dict(COSINE, end=12), ''),  # a trial of the recipe
        (dict(max_iters=12), COSINE, ''),
        (dict(max_iters=12), dict(type='MultiStepLR', by_epoch=False, milestones=[5]), ''),
        (dict(max_iters=12), dict(COSINE, begin=30, end=40), ''),
        (dict(by_epoch=True, max_epochs=2), dict(BY_EPOCH, end=4), '1.end=4, .* has 2 epochs'),
        (dict(by_epoch=True, max_epochs=4), dict(BY_EPOCH, end=4), ''),
    ],
)
def test_a_schedule_that_does_not_end_with_its_run_is_told_once(
    make_runner, tmp_path, loop, schedule, warning
):
    handler = Warnings()
    runner = make_runner(
        tmp_path,
        Line(),
        Numbers(),
        runner_class=PretrainRunner,
        train_cfg=loop if 'by_epoch' in loop else dict(type='StepsTrainLoop', **loop),
        param_scheduler=[WARM_UP, schedule],
    )
    runner.logger.addHandler(handler)
    runner.train()
    assert len(handler.seen) == bool(warning)
    assert re.search(warning, ''.join(handler.seen))
