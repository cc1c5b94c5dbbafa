"""Schedules of learning rates, brought to where a run goes on."""

from __future__ import annotations

from itertools import chain
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmact_ssl.engine.unwrap import unwrap_optimizers


def restore_initial_values(wrapper: OptimWrapper | OptimWrapperDict) -> None:
    """Give all that is scheduled, such as learning rates, the values before any schedule."""
    mark = 'initial_'
    for side in unwrap_optimizers(wrapper):
        for group in side.param_groups:
            initial = {key: value for key, value in group.items() if key.startswith(mark)}
            group.update({key[len(mark) :]: value for key, value in initial.items()})


def wind_forward(schedulers: list[Any] | dict[str, list], steps: int, batches: int) -> None:
    """Do with new schedulers what ``steps`` of training, ``batches`` of them an epoch, do.

    One after the other: several change one rate, each from what the others left.
    """
    parts = schedulers.values() if isinstance(schedulers, dict) else [schedulers]
    every = list(chain.from_iterable(parts))
    for scheduler in every:
        scheduler.optimizer._global_step = steps  # or the first step warns that none was made
    for step in range(1, steps + 1):
        for scheduler in every:
            if not scheduler.by_epoch or step % batches == 0:
                scheduler.step()
