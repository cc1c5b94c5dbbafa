"""Weights of the tasks that do not depend on the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional, Union

from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS

from .balancer import Balancer
from .shared_gradients import SharedGradients


@MODELS.register_module()
class FixedWeights(Balancer):
    """Sum of the tasks' losses with constant weights.

    Args:
        weights, tasks: See :class:`Balancer`.
    """

    def forward(
        self,
        losses: dict[str, Tensor],
        progress: float,
        feature_map: Optional[SharedGradients] = None,
        sizes: Optional[dict[str, Tensor]] = None,
    ) -> Tensor:
        """Weighted sum of scalars, task -> loss."""
        return self.weighted_sum(losses, progress)


@MODELS.register_module()
class ScheduledWeights(FixedWeights):
    """Weights that move during training.

    Args:
        weights: Task -> weight, or ``(first, last)``, the weights at the start and at the end.
        shape: ``'linear'`` or ``'cosine'`` course from the first to the last.
        tasks: See :class:`Balancer`.

    Raises:
        ConfigError: a schedule that is neither a number nor a pair, or an unknown shape.
    """

    def __init__(
        self,
        weights: dict[str, Union[float, Sequence[float]]],
        shape: str = 'linear',
        tasks: Sequence[str] = (),
    ) -> None:
        super().__init__(tasks=tasks)
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
