"""GradNorm: weights that make the tasks learn at the same pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS

from .balancer import Balancer, ByTask, refuse_half_precision
from .shared_gradients import SharedGradients


@MODELS.register_module()
class GradNorm(Balancer):
    """Balancer that gives a task that lags behind a larger gradient.

    With ``G_k = v_k * |d loss_k / d W|`` the norm of task k's gradient on the shared weights W,
    ``r_k`` its loss over its first one, divided by the mean of these ratios over tasks, and
    ``target_k = mean(G) * r_k ** alpha`` without gradient, the weights ``v_k`` descend ::

        sum_k | G_k - target_k |

    and are scaled to a sum of K, the number of tasks. Source: Chen et al., ICML 2018 (arXiv
    1711.02257), equations 1 and 2 and algorithm 1.

    Our choice: the descent is on ``log v_k``, which keeps weights positive. The sum is divided by
    ``mean(G)``, so that the rate does not depend on the size of the gradients. Each target is
    multiplied by the user's ``w_k`` divided by their mean (1 in the paper). Adversarial losses do
    not count for ``r_k``. A task without a gradient in a step, or with a loss or gradient that is
    not finite, keeps its weight and is excluded from the means. A task's first loss is the one at
    its first step with a gradient; it must be above 0.
    Not for training in float16.

    Args:
        weights: Task -> priority ``w_k``, independent of the size of the losses.
        alpha: ``>= 0``, strength of the effect; 0 makes all norms equal. The paper uses 1.5 for
            tasks that differ much, 0.12 for similar tasks (as reported).
        rate: ``> 0``, step of ``log v_k``.
    """

    learns = True

    def __init__(
        self,
        weights: Mapping[str, float] | None = None,
        alpha: float = 1.5,
        rate: float = 0.025,
        tasks: Sequence[str] = (),
    ) -> None:
        super().__init__(weights, tasks)
        self.alpha = alpha
        self.rate = rate
        self.states: Any = nn.ModuleDict({task: _TaskState() for task in tasks})
        self._checked = False

    def weight(self, task: str, progress: float) -> Tensor:
        # A copy, because the weights change before the backward pass.
        return self.states[task].weight.clone()

    def restart(self) -> None:
        for state in self.states.values():
            state.weight.fill_(1.0)
            state.first_loss.zero_()
        self._checked = False

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """Compute the weighted sum, and in training mode set the next step's weights."""
        refuse_half_precision(self, losses)
        total = self.weighted_sum(losses, progress)
        if self.training:
            norms = gradients.gram().diagonal().sqrt()
            self._move(torch.stack([sizes[task] for task in losses]), norms)
        return total

    @torch.no_grad()
    def _move(self, sizes: Tensor, norms: Tensor) -> None:
        """Set the next weights from losses and gradient norms without weights, ``(K,)`` each."""
        sizes = sizes.float().clone()
        all_reduce(sizes, op='mean')
        has_gradient = (norms > 0) & norms.isfinite() & sizes.isfinite()  # equal on all processes
        norms = norms.where(has_gradient, 0)
        states = [self.states[task] for task in self.tasks]
        first = torch.stack([state.first_loss for state in states])
        first = torch.where((first == 0) & has_gradient, sizes, first)
        if not self._checked:
            self._check(first.tolist(), has_gradient.tolist())
        ratios = (sizes / first).clamp(min=0)
        rates = ratios / masked_mean(ratios, has_gradient).clamp(min=1e-12)
        priorities = torch.tensor(
            [self.weights.get(task, 1.0) for task in self.tasks], device=sizes.device
        )
        # A batch may have gradients of tasks of priority 0 only.
        priorities = priorities / masked_mean(priorities, has_gradient).clamp(min=1e-12)
        weights = torch.stack([state.weight for state in states])
        weights = gradnorm_step(weights, norms, rates**self.alpha * priorities, self.rate)
        for state, weight, loss in zip(states, weights, first):
            state.weight.copy_(weight)
            state.first_loss.copy_(loss)

    def _check(self, first: list[float], has_gradient: list[bool]) -> None:
        """Check that first losses are above 0, until all are known, since it waits for the GPU."""
        for task, size, counts in zip(self.tasks, first, has_gradient):
            if counts and not size > 0:
                raise ConfigError(
                    f'GradNorm measures how fast a loss falls to 0, and that of {task!r} starts at '
                    f'{size:.3g}: take another model.balancer, or switch model.heads.{task} off'
                )
        self._checked = all(size > 0 for size in first)


class _TaskState(nn.Module):
    """State of a task in a checkpoint: its weight, and its first loss (0: no gradient yet)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('weight', torch.ones(()))
        self.register_buffer('first_loss', torch.zeros(()))


def gradnorm_step(weights: Tensor, norms: Tensor, shares: Tensor, rate: float) -> Tensor:
    """Compute the next weights by a descent step of ``log weights``, all ``(K,)``.

    Args:
        norms: Norms of the gradients without weights; a task of norm 0 keeps its weight.
        shares: Targets divided by the mean weighted norm; not used where the norm is 0.
    """
    has_gradient = norms > 0
    weighted = weights * norms
    mean = masked_mean(weighted, has_gradient).clamp(min=1e-30)
    slope = torch.sign(weighted - mean * shares) * weighted / mean
    moved = (weights * torch.exp(-rate * slope)).masked_fill(~has_gradient, 0)
    # The tasks with a gradient keep their share of the sum K. The share is computed from their own
    # weights: as a difference to the other tasks' share it would lose precision.
    share = len(weights) * weights.masked_fill(~has_gradient, 0).sum() / weights.sum()
    return torch.where(has_gradient, moved * share / moved.sum(), weights)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values ``(K,)`` where the mask is True; 0 if it is nowhere True."""
    return values.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)
