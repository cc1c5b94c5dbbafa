"""Constant weights, the base class of balancers, and scheduled weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmact_ssl.registry import MODELS

from .shared_gradients import SharedGradients

ByTask = Mapping[str, Tensor]


@MODELS.register_module()
class FixedWeights(BaseModule):
    """Sum of the tasks' losses with constant weights; the base class of all balancers.

    Args:
        weights: Task -> weight ``>= 0``, by default 1. Weights of tasks whose head is None are
            ignored, so that switching a head off needs no second change.
        tasks: The tasks of the model, which sets this argument.
    """

    learns = False  # True if the weights change by themselves, and so belong in the log

    def __init__(
        self, weights: Mapping[str, float] | None = None, tasks: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.weights = dict(weights or {})
        self.tasks = tuple(tasks)

    def weight(self, task: str, progress: float) -> float | Tensor:
        """Factor of a task's loss in this step, at ``progress`` 0..1 of the training."""
        return self.weights.get(task, 1.0)

    def weighted_sum(self, losses: ByTask, progress: float) -> Tensor:
        """Sum of the losses by :meth:`weight`, a scalar."""
        weighted = [self.weight(task, progress) * loss for task, loss in losses.items()]
        return torch.stack(weighted).sum()

    def restart(self) -> None:
        """Reset learned weights to those at the start of a training."""

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """Compute the scalar to minimize, here :meth:`weighted_sum`.

        Args:
            losses: Task -> scalar.
            progress: Progress of the training, 0..1.
            gradients: Gradients of these losses on the shared backbone.
            sizes: Task -> its loss without adversarial parts, which measures its progress; without
                gradient.
        """
        return self.weighted_sum(losses, progress)


@MODELS.register_module()
class ScheduledWeights(FixedWeights):
    """Sum of the tasks' losses with weights that change linearly during training.

    Args:
        weights: Task -> weight, or ``(first, last)`` at the start and at the end.
    """

    def __init__(
        self, weights: dict[str, float | Sequence[float]], tasks: Sequence[str] = ()
    ) -> None:
        super().__init__(tasks=tasks)
        self.schedules = {
            task: (ends, ends) if isinstance(ends, (int, float)) else tuple(ends)
            for task, ends in weights.items()
        }

    def weight(self, task: str, progress: float) -> float:
        first, last = self.schedules.get(task, (1.0, 1.0))
        return first + (last - first) * progress
