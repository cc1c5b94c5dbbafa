"""A training run of seconds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.runner import Runner

# mmengine keeps one logger for each experiment name.
NUMBERS = itertools.count()


@pytest.fixture(scope='session')
def make_runner() -> Callable[..., Runner]:
    """Makes a runner of a model, a data set and hooks; all else has a default."""

    def make(
        work_dir: Path, model: Any, dataset: Any, hooks: Any = (), epochs: int = 1, **changes: Any
    ) -> Runner:
        loader = dict(
            dataset=dataset,
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
        )
        options = dict(
            train_cfg=dict(type='EpochTrainLoop', max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            randomness=dict(seed=0),
            default_scope='mmact_ssl',
            log_level='WARNING',
        )
        return changes.pop('runner_class', Runner)(
            model=model,
            work_dir=str(work_dir),
            train_dataloader={**loader, **changes.pop('loader', {})},
            custom_hooks=list(hooks),
            experiment_name=f'engine_test_{next(NUMBERS)}',
            **{**options, **changes},
        )

    return make
