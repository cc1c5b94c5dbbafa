"""Weights from the tasks' uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .balancer import ByTask, FixedWeights
from .shared_gradients import SharedGradients


@MODELS.register_module()
class UncertaintyWeights(FixedWeights):
    """Balancer that weighs each task by a learned variance.

    With ``s_k = log sigma_k^2`` a parameter of task k, 0 at the start, and ``w_k`` the user's::

        loss = sum_k w_k * (exp(-s_k) * loss_k + s_k)

    The minimum over ``s_k`` is at ``exp(-s_k) = 1 / loss_k``: every task counts equally, in units
    of its own size. Source: Kendall et al., CVPR 2018 (arXiv 1705.07115), equation 7, here in the
    form of a regression for all tasks and times 2, so that training starts from the plain sum. The
    ``w_k``, priorities of the tasks independent of the size of their losses, are our choice.

    The student's optimizer trains ``s_k``. Switch its weight decay off, which would move it to 0:
    ``optim_wrapper.paramwise_cfg=dict(custom_keys=dict(balancer=dict(decay_mult=0.0)))``.
    Adversarial losses have their task's weight, but do not count for its uncertainty. A task whose
    loss stays below 0 has no optimum. If a task's loss is 0 on all processes, nothing counts in
    that batch, and its ``s_k`` gets no gradient.
    """

    learns = True

    def __init__(
        self, weights: Mapping[str, float] | None = None, tasks: Sequence[str] = ()
    ) -> None:
        super().__init__(weights, tasks)
        # By name, so that a checkpoint of other tasks does not load.
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
        """Compute the scalar to minimize by the formula of the class."""
        total = self.weighted_sum(losses, progress)
        counts = torch.stack([sizes[task] != 0 for task in losses]).to(torch.int64)
        all_reduce(counts, op='max')  # a task counts if it does on any process
        for task, count in zip(losses, counts.bool()):
            log_variance = self.log_variances[task]
            uncertainty = torch.exp(-log_variance) * sizes[task]
            # The weighted sum trains the network; this term trains only the variance.
            term = uncertainty - uncertainty.detach() + log_variance
            # `where` keeps the parameter in the graph: distributed training needs its gradient.
            term = torch.where(count, term, log_variance.detach())
            total = total + self.weights.get(task, 1.0) * term
        return total
