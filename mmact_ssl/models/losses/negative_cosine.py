"""Cosine distance to targets without a gradient."""

from __future__ import annotations

from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import finds_own, full_precision, gather, unit_rows


def negative_cosine(predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Cosine distance of each prediction from its target, which gets no gradient.

    With both at unit length::

        loss_i = 1 - prediction_i . target_i

    It is equation 1 of SimSiam (arXiv 2011.10566) plus 1, since some balancers need losses above 0,
    and half of equation 2 of BYOL (arXiv 2006.07733).

    Args:
        predictions, targets: ``(V, N, D)`` for V pairs of views, need not be normalized; the same N
            on every process.

    Returns:
        ``loss``; ``hit``, 1 if no target of another sample of all processes is nearer to the
        prediction; and ``constant``, the loss of the best answer that is the same for all samples;
        ``(V, N)`` each.
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
class NegativeCosineLoss(nn.Module):
    """Cosine distance to targets without a gradient, see :func:`negative_cosine`."""

    def forward(self, predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return negative_cosine(predictions, targets)
