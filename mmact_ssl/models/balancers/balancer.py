"""Combination of the losses of several tasks."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.registry import MODELS

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

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """Compute the scalar to minimize, here the sum of the losses by :meth:`weight`.

        Args:
            losses: Task -> scalar.
            progress: Progress of the training, 0..1.
            gradients: Gradients of these losses on the shared backbone.
            sizes: Task -> its loss without adversarial parts, which measures its progress; without
                gradient.
        """
        weighted = [self.weight(task, progress) * loss for task, loss in losses.items()]
        return torch.stack(weighted).sum()


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
        """Reset the weights to those at the start of a training."""
        for log_variance in self.log_variances.values():
            log_variance.data.zero_()

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """Compute the scalar to minimize by the formula of the class."""
        total = super().forward(losses, progress, gradients, sizes)
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


@MODELS.register_module()
class PCGrad(FixedWeights):
    """Balancer that removes from each task's gradient the part that conflicts with another task.

    With ``g_k`` the gradient of ``w_k * loss_k`` on the shared backbone, for each task i and all
    others j in random order: where ``p_i . g_j < 0``, ``p_i -= (p_i . g_j) / |g_j|^2 * g_j``,
    starting from ``p_i = g_i``; the backbone is trained by ``sum_i p_i``. Source: Yu et al.,
    NeurIPS 2020 (arXiv 2001.06782), algorithm 1.

    Every ``p_i`` is a combination of the ``g_k``, so that the projected sum is ``sum_k c_k * g_k``,
    and the ``c_k`` follow from the gradients' inner products. These are computed on
    ``model.shared_weights`` over all processes (``''``, the whole backbone, is published; the last
    weights, the default, are our choice). The whole backbone gets the sum with these ``c_k``; heads
    and adapters keep their plain gradients. With accumulated gradients each part of the batch is
    projected separately. Not for training in float16.
    """

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """The plain weighted sum, with the projected gradient on the shared backbone."""
        device = next(iter(losses.values())).device.type
        if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
            raise ConfigError(
                "model.balancer.type='PCGrad': unscaled gradients vanish in float16, set "
                "optim_wrapper.dtype='bfloat16' or train without --amp"
            )
        weights = torch.tensor([self.weight(task, progress) for task in losses])
        weights = weights.to(gradients.gram())
        gram = weights[:, None] * gradients.gram() * weights
        # The progress is the seed: equal on all processes and in a resumed run, and without effect
        # on other random numbers of the training.
        factors = projected_sum(gram, random.Random(progress))
        correction = gradients.surrogate_loss(weights * (factors - 1))
        return super().forward(losses, progress, gradients, sizes) + correction


def projected_sum(gram: Tensor, generator: random.Random) -> Tensor:
    """Compute the factors ``(K,)`` of the projected sum from inner products ``(K, K)``."""
    count = len(gram)
    others_of = [[j for j in range(count) if j != i] for i in range(count)]
    orders = [generator.sample(others, count - 1) for others in others_of]
    factors = torch.eye(count, dtype=gram.dtype, device=gram.device)  # row i: p_i by the g_k
    rows = torch.arange(count, device=gram.device)
    # One step for all tasks at once; no value is read, so nothing waits for the GPU.
    for others in torch.tensor(orders, device=gram.device).T:
        product = (factors @ gram)[rows, others]  # p_i . g_j
        squares = gram.diagonal()[others]
        # A task without a gradient has no conflict.
        share = torch.where(squares > 0, product.clamp(max=0) / squares, 0)
        factors = factors.index_put((rows, others), -share, accumulate=True)
    return factors.sum(0)
