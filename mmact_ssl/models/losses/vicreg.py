"""VICReg: invariance of two views, variance and covariance of each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import full_precision, gather_with_gradient


def vicreg(
    first: Tensor,
    second: Tensor,
    invariance_weight: float,
    variance_weight: float,
    covariance_weight: float,
) -> dict[str, Tensor]:
    """Variance, invariance and covariance of the embeddings of two views.

    Over the samples of all processes, with ``C(z)`` the covariance matrix of a view::

        invariance = mean of (first - second)^2
        variance   = mean over both views and i of   max(0, 1 - sqrt(C_ii + 1e-4))
        covariance = sum over both views of   sum_{i != j} C_ij^2 / D
        loss       = the three by their weights

    Source: VICReg (Bardes et al., arXiv 2105.04906), equations 1 to 6. The variance is the mean of
    both views as in the released code; the paper's equation 6 has their sum.

    Args:
        first, second: ``(N, D)``; the same N on every process.

    Returns:
        ``loss``, ``invariance``, ``variance`` and ``covariance``, scalars of the samples of all
        processes.
    """
    with full_precision(first):
        pairs = torch.stack([first, second], 1)
        pairs = pairs.to(torch.promote_types(pairs.dtype, torch.float32))
        everyone, _ = gather_with_gradient(pairs)  # (W*N, 2, D)
        one, two = everyone.unbind(1)
        invariance = (one - two).square().mean()
        centered = (everyone - everyone.mean(0)).transpose(0, 1)  # (2, W*N, D)
        covariances = centered.transpose(1, 2) @ centered / max(len(everyone) - 1, 1)  # (2, D, D)
        variances = covariances.diagonal(dim1=1, dim2=2)  # (2, D)
        variance = (1 - (variances + 1e-4).sqrt()).clamp(min=0).mean()
        off_diagonal = covariances - variances.diag_embed()
        covariance = off_diagonal.square().sum() / one.shape[1]
        loss = (
            invariance_weight * invariance
            + variance_weight * variance
            + covariance_weight * covariance
        )
        return dict(loss=loss, invariance=invariance, variance=variance, covariance=covariance)


@MODELS.register_module()
class VICRegLoss(nn.Module):
    """Variance, invariance and covariance of two views, see :func:`vicreg`.

    Args:
        invariance, variance, covariance: Weights, as published.
    """

    def __init__(
        self, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
    ) -> None:
        super().__init__()
        self.weights = (invariance, variance, covariance)

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        return vicreg(first, second, *self.weights)
