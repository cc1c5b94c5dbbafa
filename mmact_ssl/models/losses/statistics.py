"""Statistics that show a collapse of features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .common import unit_rows


def feature_std(features: Tensor) -> Tensor:
    """Mean standard deviation of l2-normalized features, times ``sqrt(D)``.

    1 for features spread evenly over the sphere, 0 for collapsed ones (Chen and He, SimSiam,
    CVPR 2021, section 4.1).
    """
    return unit_rows(features.detach()).std(0, unbiased=False).mean() * features.shape[1] ** 0.5


def effective_rank(features: Tensor) -> Tensor:
    """Exponential of the entropy of the normalized singular values of the centered features.

    Source: Roy and Vetterli, EUSIPCO 2007. It is at most ``min(N - 1, D)`` for ``(N, D)``. A value
    of 1 or less means collapse to a line. NaN means that a feature is not finite.
    """
    precise = features.detach().to(torch.promote_types(features.dtype, torch.float32))
    centered = precise - precise.mean(0)
    # The decomposition raises an error for values that are not finite. It must not end a training
    # whose loss scale would skip the step.
    finite = centered.isfinite().all()
    singular = torch.linalg.svdvals(centered.where(finite, centered.new_zeros(())))
    share = singular / singular.sum().clamp(min=1e-12)
    rank = torch.special.entr(share).sum().exp()
    return rank.where(finite, rank.new_tensor(float('nan')))


@torch.no_grad()
def collapse_statistics(view: str, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute the logged statistics of a view's features, ``(B, D)`` or maps ``(B, D, ...)``."""
    logs = {}
    for name, values in features.items():
        pooled = values if values.ndim == 2 else values.flatten(2).mean(2)
        logs[f'{view}.{name}/feature_std'] = feature_std(pooled)
        logs[f'{view}.{name}/effective_rank'] = effective_rank(pooled)
    return logs
