"""Redundancy reduction: Barlow Twins and VICReg."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses.common import full_precision, gather_with_gradient, standardize
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class BarlowTwinsLoss(nn.Module):
    """Distance of the views' cross-correlation from the identity.

    With both standardized over the samples of all processes and ``C = first^T second / samples``::

        invariance = sum_i (1 - C_ii)^2        redundancy = sum_{i != j} C_ij^2
        loss       = invariance + redundancy_weight * redundancy

    Source: Barlow Twins (Zbontar et al., arXiv 2103.03230), equations 1 and 2.

    Args:
        redundancy_weight: lambda, ``>= 0``; as published.
    """

    def __init__(self, redundancy_weight: float = 0.005) -> None:
        super().__init__()
        self.redundancy_weight = redundancy_weight

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """The three scalars, of ``(N, D)``; the same N on every process."""
        with full_precision(first):
            pairs = torch.stack([first, second], 1)
            pairs = pairs.to(torch.promote_types(pairs.dtype, torch.float32))
            everyone, _ = gather_with_gradient(pairs)  # (W*N, 2, D)
            one, two = standardize(everyone).unbind(1)
            correlation = one.T @ two / len(everyone)  # (D, D)
            diagonal = correlation.diagonal()
            invariance = (1 - diagonal).square().sum()
            redundancy = (correlation - diagonal.diag()).square().sum()
            loss = invariance + self.redundancy_weight * redundancy
            return dict(loss=loss, invariance=invariance, redundancy=redundancy)


@MODELS.register_module()
class VICRegLoss(nn.Module):
    """Variance, invariance and covariance of two views.

    Over the samples of all processes, with ``C(z)`` the covariance matrix of a view::

        invariance = mean of (first - second)^2
        variance   = mean over both views and i of   max(0, 1 - sqrt(C_ii + 1e-4))
        covariance = sum over both views of   sum_{i != j} C_ij^2 / D
        loss       = the three by their weights

    Source: VICReg (Bardes et al., arXiv 2105.04906), equations 1 to 6. The variance is the mean of
    both views as in the released code; the paper's equation 6 has their sum.

    Args:
        invariance, variance, covariance: Weights, as published.
    """

    def __init__(
        self, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
    ) -> None:
        super().__init__()
        self.weights = (invariance, variance, covariance)

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """The four scalars, of ``(N, D)``; the same N on every process."""
        with full_precision(first):
            pairs = torch.stack([first, second], 1)
            pairs = pairs.to(torch.promote_types(pairs.dtype, torch.float32))
            everyone, _ = gather_with_gradient(pairs)  # (W*N, 2, D)
            one, two = everyone.unbind(1)
            invariance = (one - two).square().mean()
            centered = (everyone - everyone.mean(0)).transpose(0, 1)  # (2, W*N, D)
            covariances = centered.transpose(1, 2) @ centered / max(len(everyone) - 1, 1)
            variances = covariances.diagonal(dim1=1, dim2=2)  # (2, D)
            variance = (1 - (variances + 1e-4).sqrt()).clamp(min=0).mean()
            off_diagonal = covariances - variances.diag_embed()  # (2, D, D)
            covariance = off_diagonal.square().sum() / one.shape[1]
            weighted = zip(self.weights, (invariance, variance, covariance))
            loss = sum((weight * part for weight, part in weighted), invariance.new_zeros(()))
            return dict(loss=loss, invariance=invariance, variance=variance, covariance=covariance)
