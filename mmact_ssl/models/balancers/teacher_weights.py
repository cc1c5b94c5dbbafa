"""Weights of several teachers of one student."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.common import gather, global_mean
from mmact_ssl.registry import MODELS


class TeacherWeights(BaseModule):
    """Base class of the weights of several teachers of one student.

    Args:
        teachers: Names of the K teachers, in the order of the losses' rows.
    """

    def __init__(self, teachers: Sequence[str]) -> None:
        super().__init__()
        self.teachers = tuple(teachers)

    @abstractmethod
    def forward(self, losses: Tensor, confidence: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss by :func:`global_mean`, and the weights ``(K,)`` of sum 1.

        Args:
            losses: ``(K, N)``, for each teacher and clip.
            confidence: ``(K, N)``, 0..1, without gradient: each teacher's own confidence.
            counts: bool ``(K, N)``, True if the teacher has a target for the clip.
        """


@MODELS.register_module()
class FixedTeacherWeights(TeacherWeights):
    """Constant weights: ``loss = sum over k of w_k * mean over counted n of loss_kn``.

    Args:
        weights: Teacher -> weight ``>= 0``, by default 1; they are scaled to sum 1.
    """

    weights: Tensor

    def __init__(self, teachers: Sequence[str], weights: dict[str, float] | None = None) -> None:
        super().__init__(teachers)
        weights = weights or {}
        if set(weights) - set(teachers):
            raise ConfigError(
                f'FixedTeacherWeights: weights={weights}, but the teachers are {list(teachers)}'
            )
        shares = torch.tensor([weights.get(name, 1.0) for name in teachers], dtype=torch.float64)
        self.register_buffer('weights', (shares / shares.sum()).float(), persistent=False)

    def forward(self, losses: Tensor, confidence: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        return (self.weights * global_mean(losses, counts.to(losses.dtype))).sum(), self.weights


@MODELS.register_module()
class LearnedTeacherWeights(TeacherWeights):
    """Learned weights: the softmax of a free parameter for each teacher.

    With ``L_k`` a teacher's mean loss and ``lambda`` the temperature::

        loss = sum over k of w_k * L_k  +  lambda * sum over k of w_k * log(K * w_k)

    Without the second term the easiest teacher would get all the weight. With it the best weights
    are ``w_k ~ exp(-L_k / lambda)``. A teacher without a target in a batch is not among the K of
    that batch. Our choice.

    Args:
        temperature: Lambda ``> 0``; large: equal weights, small: only the easiest teacher.
    """

    def __init__(self, teachers: Sequence[str], temperature: float = 1.0) -> None:
        super().__init__(teachers)
        self.temperature = temperature
        self.logits = nn.Parameter(torch.zeros(len(teachers)))

    def restart(self) -> None:
        """Reset the weights to those at the start of a training."""
        self.logits.data.zero_()

    def forward(self, losses: Tensor, confidence: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        present = gather(counts.any(1)[None]).any(0)
        absent = torch.finfo(self.logits.dtype).min
        log_weights = self.logits.masked_fill(~present, absent).log_softmax(0)
        weights = log_weights.exp()
        number = max(int(present.sum()), 1)
        divergence = (weights * (log_weights + math.log(number))).sum()  # from equal weights
        divergence = divergence * present.any()  # without a teacher the loss is 0
        loss = (
            weights * global_mean(losses, counts.to(losses.dtype))
        ).sum() + self.temperature * divergence
        return loss, weights.detach()


@MODELS.register_module()
class ConfidenceTeacherWeights(TeacherWeights):
    """Weights in proportion to the teachers' confidence in each clip.

    ``loss = mean over n of sum over k of w_kn * loss_kn``, ``w_kn = c_kn / sum over j of c_jn``.
    ``c_kn`` is 0 if a teacher has no target for a clip; n is over clips with a teacher.
    """

    def forward(self, losses: Tensor, confidence: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        confidence = confidence * counts
        weights = confidence / confidence.sum(0).clamp(min=1e-12)
        taught = counts.any(0).to(losses.dtype)
        loss = global_mean((weights * losses).sum(0), taught)
        return loss, weights.sum(1) / taught.sum().clamp(min=1)
