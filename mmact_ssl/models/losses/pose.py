"""Losses and distances between poses."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .gather import global_mean


def weighted_smooth_l1(prediction: Tensor, target: Tensor, weight: Tensor, beta: float) -> Tensor:
    """Smooth-L1 between joints, averaged over the weight of all joints that are seen.

    Args:
        prediction, target: ``[..., V, C]`` joint coordinates of the same unit as ``beta``.
        weight: ``[..., V]`` in 0..1, visibility; 0 leaves a joint out altogether.
        beta: Distance at which the loss turns from quadratic to linear.

    Returns:
        A scalar; 0 with zero gradient where no joint is seen.
    """
    # A joint that is not seen may carry any number, NaN included: 0 * nan is nan.
    target = target.where(weight[..., None] > 0, target.new_zeros(()))
    distance = F.smooth_l1_loss(prediction, target, reduction='none', beta=beta).mean(-1)
    return global_mean(distance, weight)


def mean_joint_error(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean Euclidean distance of the seen joints of each sample.

    Args:
        prediction, target: ``[N, T, V, 2]``.
        weight: ``[N, T, V]``.

    Returns:
        ``[N]``, in the unit of the coordinates; NaN for a sample in which no joint is
        seen.
    """
    target = target.where(weight[..., None] > 0, target.new_zeros(()))
    distance = (prediction - target).norm(dim=-1)
    return (distance * weight).sum((1, 2)) / weight.sum((1, 2))
