"""What every balancer has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Optional, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmact_ssl.errors import ConfigError

from .shared_gradients import SharedGradients


class Balancer(BaseModule):
    """Makes one loss of the tasks' losses.

    Args:
        weights: Task -> weight ``>= 0`` that the user gives; a task that is not named has weight 1.
            Tasks that the model lacks are ignored, so that switching a head off needs no second
            change.
        tasks: The tasks of the model, which fills them in; a balancer that keeps something of each
            needs them.
    """

    # Whether the weights move by themselves, so that they belong in the log.
    learns = False

    def __init__(
        self, weights: Optional[Mapping[str, float]] = None, tasks: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.weights = dict(weights or {})
        self.tasks = tuple(tasks)

    def weight(self, task: str, progress: float) -> Union[float, Tensor]:
        """What the task's loss is multiplied by in the step to come.

        Args:
            task: Its name.
            progress: Share of the training, ``0 <= progress <= 1``.
        """
        return self.weights.get(task, 1.0)

    def weighted_sum(self, losses: Mapping[str, Tensor], progress: float) -> Tensor:
        """Sum of the losses by :meth:`weight`, a scalar."""
        weighted = [self.weight(task, progress) * loss for task, loss in losses.items()]
        return torch.stack(weighted).sum()

    def restart(self) -> None:
        """Forget what was learned of the tasks, as at the start of a training."""

    @abstractmethod
    def forward(
        self,
        losses: dict[str, Tensor],
        progress: float,
        feature_map: Optional[SharedGradients] = None,
        sizes: Optional[dict[str, Tensor]] = None,
    ) -> Tensor:
        """One scalar to minimize.

        Args:
            losses: Task -> scalar.
            progress: Share of the training, ``0 <= progress <= 1``.
            feature_map: The same losses' gradients on the shared backbone, for balancers that look
            at them. sizes: Task -> how far the task is, without gradient: its loss without
            adversarial
                parts; the losses themselves unless given.
        """


def refuse_half_precision(balancer: Balancer, losses: Mapping[str, Tensor]) -> None:
    """Refuse float16, in which a task's gradient vanishes without the loss scale of the optimizer.

    Raises:
        ConfigError: The step runs in float16.
    """
    # A product tells the precision of the step; torch's own question is new in 2.4.
    one = torch.ones(1, 1, device=next(iter(losses.values())).device)
    if (one @ one).dtype == torch.float16:
        raise ConfigError(
            f'model.balancer.type={type(balancer).__name__!r} takes gradients before the loss is '
            "scaled, which vanish in float16: set optim_wrapper.dtype='bfloat16', or train without "
            '--amp'
        )
