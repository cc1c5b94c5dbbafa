"""Weights that let the tasks learn at one pace."""

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
    """Move the weights so that a task that lags behind gets a larger gradient.

    With ``G_k = v_k * |d loss_k / d W|`` the norm of task k's gradient on the shared weights W,
    ``r_k`` its loss over its first one, divided by the mean of these ratios over tasks, and
    ``target_k = mean(G) * r_k ** alpha`` without gradient, the weights ``v_k`` descend ::

        sum_k | G_k - target_k |

    and are scaled to a sum of K, the number of tasks. Source: Chen et al., ICML 2018 (arXiv
    1711.02257), equations 1 and 2 and algorithm 1.

    Our choice: the descent is on ``log v_k``, which keeps weights positive, and of the sum over
    ``mean(G)``, so that the rate does not depend on the size of the gradients; each target is
    multiplied by the user's ``w_k`` over their mean, 1 in the paper. Adversarial losses do not
    count for ``r_k``. A task without a gradient in a step is left out of it: means are over the
    others, and it keeps its weight. Its first loss, which must be above 0, is that of its first
    step with a gradient. Not for training in float16.

    Args:
        weights: Task -> priority ``w_k``, whatever the size of the losses.
        alpha: ``>= 0``, how much a task that lags behind is favored; 0 makes all norms equal. The
            paper takes 1.5 for tasks that differ much, 0.12 for tasks that are alike (as reported).
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
        # A copy, for the weights move before the backward pass.
        return self.states[task].weight.clone()

    def restart(self) -> None:
        for state in self.states.values():
            state.weight.fill_(1.0)
            state.first_loss.zero_()
        self._checked = False

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """The sum by the present weights; in training mode those of the next step are made."""
        refuse_half_precision(self, losses)
        total = self.weighted_sum(losses, progress)
        if self.training:
            norms = gradients.gram().diagonal().sqrt()
            self._move(torch.stack([sizes[task] for task in losses]), norms)
        return total

    @torch.no_grad()
    def _move(self, sizes: Tensor, norms: Tensor) -> None:
        """Set the next weights by losses and norms of the gradients, ``(K,)`` without weights."""
        sizes = sizes.float().clone()
        all_reduce(sizes, op='mean')
        has_gradient = norms > 0  # norms are equal on all processes
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
        # Tasks of priority 0 may be alone in a batch.
        priorities = priorities / masked_mean(priorities, has_gradient).clamp(min=1e-12)
        weights = torch.stack([state.weight for state in states])
        weights = gradnorm_step(weights, norms, rates**self.alpha * priorities, self.rate)
        for state, weight, loss in zip(states, weights, first):
            state.weight.copy_(weight)
            state.first_loss.copy_(loss)

    def _check(self, first: list[float], has_gradient: list[bool]) -> None:
        """Check that first losses are above 0, only until all are known: it waits for the GPU."""
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
    """The next weights: a step of ``log weights`` down the distance to the targets, all ``(K,)``.

    Args:
        norms: Of the gradients without weights; a task of norm 0 keeps its weight.
        shares: Targets over the mean weighted norm; not used where the norm is 0.
    """
    has_gradient = norms > 0
    weighted = weights * norms
    mean = masked_mean(weighted, has_gradient).clamp(min=1e-30)
    slope = torch.sign(weighted - mean * shares) * weighted / mean
    moved = (weights * torch.exp(-rate * slope)).masked_fill(~has_gradient, 0)
    # Of a sum of K, what they had before: a difference to the others' would be lost in rounding.
    kept = len(weights) * weights.masked_fill(~has_gradient, 0).sum() / weights.sum()
    return torch.where(has_gradient, moved * kept / moved.sum(), weights)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values ``(K,)`` at which the mask is True, a scalar; 0 without any."""
    return values.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)
