"""Gathering of features across processes, with gradients."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def gather_with_gradient(features: Tensor) -> tuple[Tensor, int]:
    """Concatenate the features of all processes along the first axis.

    Gradients reach every process's features: distributed training averages gradients over
    processes, so a loss that each process takes over its own rows and all columns has the gradient
    of one process with the whole batch.

    Args:
        features: ``[N, ...]``, with the same ``N`` on every process.

    Returns:
        ``[world_size * N, ...]`` and the row at which this process's own features start.
    """
    if get_world_size() == 1:
        return features, 0
    everyone = torch.cat(list(all_gather(features)))
    if everyone.requires_grad:
        # torch's exchange of gradients (gloo) takes their memory as it lies, whatever the strides.
        everyone.register_hook(lambda gradient: gradient.contiguous())
    return everyone, get_rank() * len(features)


def gather(values: Tensor) -> Tensor:
    """Concatenate values that need no gradient, ``[N, ...] -> [world_size * N, ...]``."""
    with torch.no_grad():
        return gather_with_gradient(values.detach())[0]


def global_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over all processes, as a share that distributed averaging completes.

    The mean of per-process means is not the mean of all rows when processes hold unequal weight.
    Each process returns ``world_size * sum(own values * own weight) / sum(all weights)``; the
    average over processes, which distributed training takes of the gradients, is then the global
    weighted mean.

    Args:
        values: ``[N, ...]``.
        weight: Same shape, ``>= 0``, no gradient.

    Returns:
        A scalar; 0 (with a gradient of zero) where no row anywhere has weight.
    """
    total = weight.detach().sum().float()
    if get_world_size() > 1:
        total = total.clone()
        all_reduce(total, op='sum')
    return (values * weight).sum() * get_world_size() / total.clamp(min=1e-6)
