"""Statistics that show a collapse of features, or the agreement of two views."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from mmengine.dist import get_rank
from torch import Tensor

from mmact_ssl.models.losses.common import finds_own, full_precision, gather, standardize, unit_rows


def feature_std(features: Tensor) -> Tensor:
    """Mean standard deviation of l2-normalized features, times ``sqrt(D)``.

    1 for features spread evenly over the sphere, 0 for collapsed ones (Chen and He, SimSiam,
    CVPR 2021, section 4.1).
    """
    return unit_rows(features.detach()).std(0, unbiased=False).mean() * features.shape[1] ** 0.5


@torch.no_grad()
def collapse_statistics(view: str, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute the logged statistics of a view's features, ``(B, D)`` or maps ``(B, D, ...)``."""
    logs = {}
    for name, values in features.items():
        pooled = values if values.ndim == 2 else values.flatten(2).mean(2)
        logs[f'{view}.{name}/feature_std'] = feature_std(pooled)
        logs[f'{view}.{name}/effective_rank'] = effective_rank(pooled)
    return logs


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
def view_accuracy(first: Tensor, second: Tensor) -> Tensor:
    """1 where no other sample's second view is more similar to a first view than its own, ``(N,)``.

    Args:
        first, second: Embeddings ``(N, D)``, which are standardized over the samples of all
            processes; the same N on every process.
    """
    pairs = torch.stack([first, second], 1)
    everyone = standardize(gather(pairs.to(torch.promote_types(pairs.dtype, torch.float32))))
    start = get_rank() * len(first)
    with full_precision(first):
        own = unit_rows(everyone[start : start + len(first), 0])
        return finds_own(own @ unit_rows(everyone[:, 1]).T)


def is_no_larger(window: int, values: np.ndarray | None, others: np.ndarray | None) -> bool:
    """True if the last values are less than two standard errors above others, if all are there."""
    if values is None or others is None or len(values) < window:
        return False
    gain = values[-window:] - others[-window:]
    gain = gain[np.isfinite(gain)]
    return len(gain) > 0 and gain.mean() <= 2 * gain.std() / len(gain) ** 0.5
