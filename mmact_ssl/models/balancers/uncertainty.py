"""Weights from the tasks' own uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .balancer import Balancer, ByTask
from .shared_gradients import SharedGradients


@MODELS.register_module()
class UncertaintyWeights(Balancer):
    """Weigh each task by a variance that is learned with the network.

    With ``s_k = log sigma_k^2`` a parameter of task k, 0 at the start, and ``w_k`` the user's::

        loss = sum_k w_k * (exp(-s_k) * loss_k + s_k)

    whose minimum over ``s_k`` is at ``exp(-s_k) = 1 / loss_k``: every task counts alike, in units
    of its own size. Source: Kendall et al., CVPR 2018 (arXiv 1705.07115), equation 7, here in the
    form of a regression for all tasks and times 2, so that training starts from the plain sum; the
    ``w_k``, priorities of the tasks whatever the size of their losses, are our choice.

    The student's optimizer trains ``s_k``, without weight decay, which would move it to 0:
    ``optim_wrapper.paramwise_cfg=dict(custom_keys=dict(balancer=dict(decay_mult=0.0)))``.
    Adversarial losses are weighed with their task, but do not count for its uncertainty. A task
    whose loss stays below 0 has no optimum. One whose loss is 0 on all processes has nothing that
    counts in that batch: its ``s_k`` gets no gradient.
    """

    learns = True

    def __init__(
        self, weights: Mapping[str, float] | None = None, tasks: Sequence[str] = ()
    ) -> None:
        super().__init__(weights, tasks)
        # By name: a checkpoint of other tasks must not be mistaken for one of these.
        self.log_variances = nn.ParameterDict(
            {task: nn.Parameter(torch.zeros(())) for task in tasks}
        )

    def weight(self, task: str, progress: float) -> Tensor:
        return self.weights.get(task, 1.0) * torch.exp(-self.log_variances[task].detach())

    def restart(self) -> None:
        for log_variance in self.log_variances.values():
            log_variance.data.zero_()

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """One scalar of the losses, by the formula of the class."""
        total = self.weighted_sum(losses, progress)
        counts = torch.stack([sizes[task] != 0 for task in losses]).to(torch.int64)
        all_reduce(counts, op='max')  # each process has its share of what counts
        for task, count in zip(losses, counts.bool()):
            log_variance = self.log_variances[task]
            uncertainty = torch.exp(-log_variance) * sizes[task]
            # The network learns by the weighted sum, the variance here, by the size alone.
            term = uncertainty - uncertainty.detach() + log_variance
            # Not without the parameter: distributed training wants a gradient of each.
            term = torch.where(count, term, log_variance.detach())
            total = total + self.weights.get(task, 1.0) * term
        return total
