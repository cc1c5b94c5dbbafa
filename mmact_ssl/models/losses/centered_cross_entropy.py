"""Cross-entropy to a centered and sharpened target distribution."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS

from .common import finds_own, full_precision, gather


def centered_cross_entropy(
    predictions: Tensor,
    targets: Tensor,
    center: Tensor,
    temperature: float,
    target_temperature: float,
) -> dict[str, Tensor]:
    """Cross-entropy of predicted distributions to target distributions, which get no gradient.

    ::

        t_i    = softmax((target_i - center) / target_temperature)
        loss_i = - sum_k t_ik log softmax(prediction_i / temperature)_k

    Source: DINO (Caron et al., arXiv 2104.14294), equation 2 and algorithm 1.

    Args:
        predictions, targets: Logits ``(V, N, K)`` for V pairs of views; the same N on every
            process.
        center: ``(K,)``.
        temperature, target_temperature: ``> 0``.

    Returns:
        ``loss``; ``hit``, 1 if no target of another sample of all processes has a lower
        cross-entropy; and ``constant``, the loss of the best answer that is the same for all
        samples, their mean target; ``(V, N)`` each.
    """
    with full_precision(predictions):
        precise = torch.promote_types(predictions.dtype, torch.float32)
        logs = (predictions.to(precise) / temperature).log_softmax(2)
        aims = ((targets.detach().to(precise) - center) / target_temperature).softmax(2)
        everyone = gather(aims.transpose(0, 1)).transpose(0, 1)  # (V, W*N, K)
        answer = everyone.mean(1, keepdim=True).clamp(min=torch.finfo(precise).tiny).log()
        return dict(
            loss=-(aims * logs).sum(2),
            hit=finds_own(logs.detach() @ everyone.transpose(1, 2)),
            constant=-(aims * answer).sum(2),
        )


@MODELS.register_module()
class CenteredCrossEntropyLoss(nn.Module):
    """Cross-entropy to centered targets, see :func:`centered_cross_entropy`.

    The center follows the mean of the targets of all processes, ``center = m * center + (1 - m) *
    mean``, after each forward pass in training. It is a buffer, so that a resumed run continues
    with it.

    Args:
        channels: Size K of predictions and targets.
        temperature, target_temperature: As published; DINO raises the target's from 0.04 to 0.07
            for some networks, here it is constant (our choice).
        center_momentum: m, ``0 <= m < 1``.
    """

    center: Tensor

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

    def restart(self) -> None:
        """Forget the center, for a run that starts from the weights of another run."""
        self.center.zero_()

    def forward(self, predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        if targets.shape[2] != len(self.center):
            raise ConfigError(
                f'CenteredCrossEntropyLoss: channels={len(self.center)}, but the head projects to '
                f"{targets.shape[2]}: set the loss's channels to the head's prototypes, or to its "
                'embedding_dim without prototypes'
            )
        outputs = centered_cross_entropy(
            predictions, targets, self.center, self.temperature, self.target_temperature
        )
        if self.training:
            mean = targets.detach().to(self.center.dtype).mean((0, 1))
            all_reduce(mean, op='mean')
            # Out of place: the step's graph and NonFiniteHook keep the center of before.
            self.center.copy_(self.center.lerp(mean, 1 - self.center_momentum))
        return outputs
