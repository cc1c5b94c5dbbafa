"""Weights that let the tasks learn at one pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional, cast

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS

from .balancer import Balancer, refuse_half_precision
from .shared_gradients import SharedGradients


@MODELS.register_module()
class GradNorm(Balancer):
    """Move the weights until a task that lags behind pulls harder at the feature map.

    With ``G_k = v_k * |d loss_k / d W|`` the norm of task k's gradient on the shared weights W,
    ``r_k`` its loss over its first one, divided by the mean of these ratios over tasks, and
    ``target_k = mean(G) * r_k ** alpha`` without gradient, the weights ``v_k`` descend ::

        sum_k | G_k - target_k |

    and are scaled to a sum of K, the number of tasks. Source: Chen et al., ICML 2018 (arXiv
    1711.02257), equations 1 and 2 and algorithm 1.

    Our choice: the descent is on ``log v_k``, which keeps weights positive, and of the sum over
    ``mean(G)``, so that the rate does not hang on the size of the gradients; each target is
    multiplied by the user's ``w_k`` over their mean, 1 in the paper. Adversarial losses do not
    count for ``r_k``. While gradients accumulate, weights move with each part of the batch. A task
    without a gradient in a step, such as one with nothing to count in that batch, is left out of
    it: means are over the others, and it keeps its weight. Its first loss is that of its first step
    with a gradient.

    Args:
        weights, tasks: See :class:`Balancer`; priorities, whatever the size of the losses.
        alpha: ``>= 0``, how hard a task that lags behind pulls; 0 makes all norms equal. The paper
            takes 1.5 for tasks that differ much and 0.12 for such as are alike (as reported).
        rate: ``> 0``, step of ``log v_k``.

    Raises:
        ConfigError: Training in float16, or a task with a gradient whose first loss is not above 0.
    """

    learns = True

    def __init__(
        self,
        weights: Optional[Mapping[str, float]] = None,
        alpha: float = 1.5,
        rate: float = 0.025,
        tasks: Sequence[str] = (),
    ) -> None:
        super().__init__(weights, tasks)
        if alpha < 0 or rate <= 0:
            raise ConfigError(
                f'model.balancer: alpha={alpha}, rate={rate}; GradNorm needs alpha >= 0, rate > 0'
            )
        self.alpha = alpha
        self.rate = rate
        self.states = nn.ModuleDict({task: _TaskState() for task in tasks})
        self._checked = False

    def weight(self, task: str, progress: float) -> Tensor:
        # A copy, for the weights move before the backward pass.
        return cast(Tensor, self.states[task].weight).clone()

    def restart(self) -> None:
        for state in self.states.values():
            cast(Tensor, state.weight).fill_(1.0)
            cast(Tensor, state.first_loss).zero_()
        self._checked = False

    def forward(
        self,
        losses: dict[str, Tensor],
        progress: float,
        feature_map: Optional[SharedGradients] = None,
        sizes: Optional[dict[str, Tensor]] = None,
    ) -> Tensor:
        """The sum by the present weights; those of the next step are made, in training mode."""
        refuse_half_precision(self, losses)
        total = self.weighted_sum(losses, progress)
        if self.training:
            assert feature_map is not None
            norms = feature_map.gram().diagonal().sqrt()
            self._move(torch.stack([(sizes or losses)[task].detach() for task in losses]), norms)
        return total

    @torch.no_grad()
    def _move(self, sizes: Tensor, norms: Tensor) -> None:
        """Set the weights of the next step.

        Args:
            sizes: Losses of the tasks, ``[K]``.
            norms: Of their gradients without weights, ``[K]``; alike on all processes, and so is
                then which tasks take part.
        """
        sizes = sizes.float().clone()
        all_reduce(sizes, op='mean')
        pulls = norms > 0
        states = [self.states[task] for task in self.tasks]
        first = torch.stack([cast(Tensor, state.first_loss) for state in states])
        first = torch.where((first == 0) & pulls, sizes, first)
        self._check(first, pulls)
        ratios = (sizes / first).clamp(min=0)
        rates = ratios / mean_of(ratios, pulls).clamp(min=1e-12)
        priorities = torch.tensor(
            [self.weights.get(task, 1.0) for task in self.tasks], device=sizes.device
        )
        weights = torch.stack([cast(Tensor, state.weight) for state in states])
        # Tasks of priority 0 may be alone in a batch.
        priorities = priorities / mean_of(priorities, pulls).clamp(min=1e-12)
        shares = rates**self.alpha * priorities
        weights = gradnorm_step(weights, norms, shares, self.rate)
        for state, weight, loss in zip(states, weights, first):
            cast(Tensor, state.weight).copy_(weight)
            cast(Tensor, state.first_loss).copy_(loss)

    def _check(self, first: Tensor, pulls: Tensor) -> None:
        """Until each task has a first loss, for it waits for the GPU: all of them are above 0."""
        if self._checked:
            return
        sizes = first.tolist()
        for task, size, has_gradient in zip(self.tasks, sizes, pulls.tolist()):
            if has_gradient and not size > 0:
                raise ConfigError(
                    f'GradNorm measures how fast a loss falls to 0, and that of {task!r} starts at '
                    f'{size:.3g}: take another model.balancer, or switch model.heads.{task} off'
                )
        self._checked = all(size > 0 for size in sizes)


class _TaskState(nn.Module):
    """What a checkpoint keeps of a task: its weight, and its first loss (0: no gradient yet)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('weight', torch.ones(()))
        self.register_buffer('first_loss', torch.zeros(()))


def gradnorm_step(weights: Tensor, norms: Tensor, shares: Tensor, rate: float) -> Tensor:
    """The next weights ``[K]``: a step of ``log weights`` down the distance to the targets.

    Args:
        weights: ``[K]``, ``> 0``.
        norms: Of the gradients without weights, ``[K]``; a task of norm 0 keeps its weight.
        shares: Targets over the mean weighted norm, ``[K]``; not read where the norm is 0.
        rate: Size of the step.
    """
    pulls = norms > 0
    weighted = weights * norms
    mean = mean_of(weighted, pulls).clamp(min=1e-30)
    slope = torch.sign(weighted - mean * shares) * weighted / mean
    moved = weights * torch.exp(-rate * slope)
    # Of a sum of K, what they had before: a difference to the others' would be lost in rounding.
    kept = len(weights) * weights.masked_fill(~pulls, 0).sum() / weights.sum()
    return torch.where(pulls, moved * kept / moved.masked_fill(~pulls, 0).sum(), weights)


def mean_of(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values, a scalar; 0 without any.

    Args:
        values: ``[K]``.
        chosen: bool ``[K]``.
    """
    return values.masked_fill(~chosen, 0).sum() / chosen.sum().clamp(min=1)
