"""Parts of all contrastive losses: unit vectors, and features of all processes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_rank, get_world_size
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def full_precision(values: Tensor) -> torch.autocast:
    """Context without mixed precision, which loses small differences between many logits."""
    return torch.autocast(values.device.type, enabled=False)


def unit_rows(values: Tensor) -> Tensor:
    """Rows of length 1, in float32 or better; ``(..., D) -> (..., D)``."""
    return F.normalize(values.to(torch.promote_types(values.dtype, torch.float32)), dim=-1)


def gather_with_gradient(features: Tensor) -> tuple[Tensor, int]:
    """Features ``(W*N, ...)`` of all processes, and the row at which this process's own start.

    Gradients reach every process's features: distributed training averages gradients over
    processes, so a loss that each process takes over its own rows and all columns has the gradient
    of one process with the whole batch. ``N`` is the same on every process.
    """
    if get_world_size() == 1:
        return features, 0
    everyone = torch.cat(list(all_gather(features)))
    if everyone.requires_grad:
        # torch's exchange of gradients (gloo) takes their memory as it lies, whatever the strides.
        everyone.register_hook(lambda gradient: gradient.contiguous())
    return everyone, get_rank() * len(features)


def gather(values: Tensor) -> Tensor:
    """Concatenate values that need no gradient, ``(N, ...) -> (world_size * N, ...)``."""
    with torch.no_grad():
        return gather_with_gradient(values.detach())[0]


def of_another_sample(values: Tensor) -> Tensor:
    """Values ``(N, ...)`` in which each sample has those of another one, of all processes' samples.

    They move on by half of the samples, because a list's neighbors may be of one video. Without
    gradient. Where there is one sample alone, it keeps its own.
    """
    everyone, start = gather_with_gradient(values.detach())
    rows = torch.arange(len(values), device=values.device) + start + len(everyone) // 2
    return everyone[rows % len(everyone)]


def global_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted means of rows over all processes, as shares that distributed averaging completes.

    Each process returns ``world_size * sum(own values * own weight) / sum(all weights)``, whose
    average over processes, which distributed training takes of the gradients, is the global mean
    even where they hold unequal weight. 0, with a gradient of zero, where there is no weight.
    ``values`` and ``weight``, which gets no gradient, are ``(..., N)``, the means ``(...)``.
    """
    total = weight.detach().sum(-1).float()
    all_reduce(total)
    return (values * weight).sum(-1) * get_world_size() / total.clamp(min=1e-6)
