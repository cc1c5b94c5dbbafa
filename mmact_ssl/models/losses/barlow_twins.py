"""Barlow Twins: the cross-correlation of two views is the identity."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import full_precision, gather_with_gradient, standardize


def barlow_twins(first: Tensor, second: Tensor, redundancy_weight: float) -> dict[str, Tensor]:
    """Distance of the cross-correlation of two views from the identity.

    With both standardized over the samples of all processes and ``C = first^T second / samples``::

        invariance = sum_i (1 - C_ii)^2        redundancy = sum_{i != j} C_ij^2
        loss       = invariance + redundancy_weight * redundancy

    Source: Barlow Twins (Zbontar et al., arXiv 2103.03230), equations 1 and 2.

    Args:
        first, second: ``(N, D)``; the same N on every process.
        redundancy_weight: lambda, ``>= 0``.

    Returns:
        ``loss``, ``invariance`` and ``redundancy``, scalars of the samples of all processes.
    """
    with full_precision(first):
        pairs = torch.stack([first, second], 1)
        pairs = pairs.to(torch.promote_types(pairs.dtype, torch.float32))
        everyone, _ = gather_with_gradient(pairs)  # (W*N, 2, D)
        one, two = standardize(everyone).unbind(1)
        correlation = one.T @ two / len(everyone)  # (D, D)
        diagonal = correlation.diagonal()
        invariance = (1 - diagonal).square().sum()
        redundancy = (correlation - diagonal.diag()).square().sum()
        loss = invariance + redundancy_weight * redundancy
        return dict(loss=loss, invariance=invariance, redundancy=redundancy)


@MODELS.register_module()
class BarlowTwinsLoss(nn.Module):
    """Distance of the views' cross-correlation from the identity, see :func:`barlow_twins`.

    Args:
        redundancy_weight: As published.
    """

    def __init__(self, redundancy_weight: float = 0.005) -> None:
        super().__init__()
        self.redundancy_weight = redundancy_weight

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        return barlow_twins(first, second, self.redundancy_weight)
