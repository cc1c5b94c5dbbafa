"""Distances of predictions to targets without a gradient."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.common import finds_own, full_precision, gather, unit_rows
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class NegativeCosineLoss(nn.Module):
    """Cosine distance to targets without a gradient.

    With both at unit length::

        loss_i = 1 - prediction_i . target_i

    It is equation 1 of SimSiam (arXiv 2011.10566) plus 1, since some balancers need losses above 0,
    and half of equation 2 of BYOL (arXiv 2006.07733).
    """

    def forward(self, predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compare ``(V, N, D)`` of V pairs of views; the same N on every process.

        Returns:
            ``loss``; ``hit``, 1 if no target of another sample of all processes is nearer to the
            prediction; and ``constant``, the loss of the best answer that is the same for all
            samples; ``(V, N)`` each.
        """
        with full_precision(predictions):
            own, aims = unit_rows(predictions), unit_rows(targets.detach())
            everyone = gather(aims.transpose(0, 1)).transpose(0, 1)  # (V, W*N, D)
            answer = unit_rows(everyone.mean(1, keepdim=True))
            return dict(
                loss=1 - (own * aims).sum(2),
                hit=finds_own(own.detach() @ everyone.transpose(1, 2)),
                constant=1 - (answer * aims).sum(2),
            )


@MODELS.register_module()
class CenteredCrossEntropyLoss(nn.Module):
    """Cross-entropy to centered and sharpened targets, which get no gradient::

        t_i    = softmax((target_i - center) / target_temperature)
        loss_i = - sum_k t_ik log softmax(prediction_i / temperature)_k

    The center follows the mean of the targets of all processes since the last step of the
    optimizer, ``center = m * center + (1 - m) * mean``; :class:`MomentumCopyHook` moves it after
    the step. Buffers hold the center and that sum, so that a resumed run continues with them.

    Source: DINO (Caron et al., arXiv 2104.14294), equation 2 and algorithm 1.

    Args:
        channels: Size K of predictions and targets.
        temperature, target_temperature: As published; DINO raises the target's from 0.04 to 0.07
            for some networks, here it is constant (our choice).
        center_momentum: m, ``0 <= m < 1``.
    """

    center: Tensor
    waiting: Tensor

    def __init__(
        self,
        channels: int,
        temperature: float = 0.1,
        target_temperature: float = 0.04,
        center_momentum: float = 0.9,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.target_temperature = target_temperature
        self.center_momentum = center_momentum
        self.register_buffer('center', torch.zeros(channels))
        # Sum of the mean targets of forward passes, and their number.
        self.register_buffer('waiting', torch.zeros(channels + 1))

    def restart(self) -> None:
        """Forget the center, for a run that starts from the weights of another run."""
        for buffer in self.buffers():
            buffer.zero_()

    def after_step(self) -> None:
        """Move the center once, however many batches the step has accumulated."""
        all_reduce(self.waiting)
        mean = self.waiting[:-1] / self.waiting[-1].clamp(min=1)
        self.center.lerp_(mean, 1 - self.center_momentum)
        self.waiting.zero_()

    def forward(self, predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compare logits ``(V, N, K)`` of V pairs of views; the same N on every process.

        Returns:
            ``loss``; ``hit``, 1 if no target of another sample of all processes has a lower
            cross-entropy; and ``constant``, the loss of the best answer that is the same for all
            samples, their mean target; ``(V, N)`` each.
        """
        if targets.shape[2] != len(self.center):
            raise ConfigError(
                f'CenteredCrossEntropyLoss: channels={len(self.center)}, but the head projects to '
                f"{targets.shape[2]}: set the loss's channels to the head's prototypes, or to its "
                'embedding_dim without prototypes'
            )
        if self.training:
            mean = targets.detach().to(self.center.dtype).mean((0, 1))
            self.waiting += torch.cat([mean, mean.new_ones(1)])
        with full_precision(predictions):
            precise = torch.promote_types(predictions.dtype, torch.float32)
            logs = (predictions.to(precise) / self.temperature).log_softmax(2)
            centered = targets.detach().to(precise) - self.center
            aims = (centered / self.target_temperature).softmax(2)
            everyone = gather(aims.transpose(0, 1)).transpose(0, 1)  # (V, W*N, K)
            answer = everyone.mean(1, keepdim=True).clamp(min=torch.finfo(precise).tiny).log()
            return dict(
                loss=-(aims * logs).sum(2),
                hit=finds_own(logs.detach() @ everyone.transpose(1, 2)),
                constant=-(aims * answer).sum(2),
            )
