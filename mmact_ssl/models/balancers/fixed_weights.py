"""Weights of the tasks that do not depend on the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Union

from mmact_ssl.registry import MODELS

from .balancer import Balancer


@MODELS.register_module()
class FixedWeights(Balancer):
    """Sum of the tasks' losses with constant weights."""


@MODELS.register_module()
class ScheduledWeights(Balancer):
    """Sum of the tasks' losses with weights that move during training.

    Args:
        weights: Task -> weight, or ``(first, last)``, the weights at the start and at the end.
        shape: ``'linear'`` or ``'cosine'`` course from the first to the last.
        tasks: See :class:`Balancer`.
    """

    def __init__(
        self,
        weights: dict[str, Union[float, Sequence[float]]],
        shape: str = 'linear',
        tasks: Sequence[str] = (),
    ) -> None:
        super().__init__(tasks=tasks)
        self.shape = shape
        self.schedules = {
            task: (ends, ends) if isinstance(ends, (int, float)) else tuple(ends)
            for task, ends in weights.items()
        }

    def weight(self, task: str, progress: float) -> float:
        first, last = self.schedules.get(task, (1.0, 1.0))
        share = progress if self.shape == 'linear' else (1 - math.cos(math.pi * progress)) / 2
        return first + (last - first) * share
