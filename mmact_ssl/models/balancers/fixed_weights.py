"""Weights of the tasks that do not depend on the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class FixedWeights(BaseModule):
    """Sum of the tasks' losses with constant weights.

    Args:
        weights: task -> weight ``>= 0``; a task that is not named has weight 1. Tasks that the
            model lacks are ignored, so that switching a head off needs no second change.
    """

    def __init__(self, weights: Optional[dict[str, float]] = None) -> None:
        super().__init__()
        self.weights = dict(weights or {})

    def weight(self, task: str, progress: float) -> float:
        """The task's weight at a share of the training, ``0 <= progress <= 1``."""
        return self.weights.get(task, 1.0)

    def forward(self, losses: dict[str, Tensor], progress: float) -> Tensor:
        """Weighted sum of scalars, task -> loss."""
        weighted = [self.weight(task, progress) * loss for task, loss in losses.items()]
        return torch.stack(weighted).sum()


@MODELS.register_module()
class ScheduledWeights(FixedWeights):
    """Weights that move during training.

    Args:
        weights: task -> weight, or ``(first, last)``, the weights at the start and at the end.
        shape: ``'linear'`` or ``'cosine'`` course from the first to the last.

    Raises:
        ConfigError: a schedule that is neither a number nor a pair, or an unknown shape.
    """

    def __init__(
        self,
        weights: dict[str, Union[float, Sequence[float]]],
        shape: str = 'linear',
    ) -> None:
        super().__init__()
        if shape not in ('linear', 'cosine'):
            raise ConfigError(f"model.balancer.shape={shape!r}: use 'linear' or 'cosine'")
        self.shape = shape
        self.schedules: dict[str, tuple[float, float]] = {}
        for task, schedule in weights.items():
            pair = (schedule, schedule) if isinstance(schedule, (int, float)) else tuple(schedule)
            if len(pair) != 2:
                raise ConfigError(
                    f'model.balancer.weights.{task}={schedule!r}: give a number or (first, last)'
                )
            self.schedules[task] = (float(pair[0]), float(pair[1]))

    def weight(self, task: str, progress: float) -> float:
        first, last = self.schedules.get(task, (1.0, 1.0))
        share = progress if self.shape == 'linear' else (1 - math.cos(math.pi * progress)) / 2
        return first + (last - first) * share
