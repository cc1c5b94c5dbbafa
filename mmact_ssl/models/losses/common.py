"""Functions for all contrastive losses: unit vectors, and features of all processes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_rank, get_world_size
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def full_precision(values: Tensor) -> torch.autocast:
    """Context without mixed precision, which would lose small differences between logits."""
    return torch.autocast(values.device.type, enabled=False)


def unit_rows(values: Tensor) -> Tensor:
    """Rows of length 1, in float32 or better; ``(..., D) -> (..., D)``.

    A row of zeros has no direction: it stays zero and gets no gradient.
    """
    precise = values.to(torch.promote_types(values.dtype, torch.float32))
    # torch divides a gradient by 1e-12 there, which overflows half precision.
    return F.normalize(precise, dim=-1).where((precise != 0).any(-1, keepdim=True), 0.0)


def gather_with_gradient(features: Tensor) -> tuple[Tensor, int]:
    """Gather features ``(W*N, ...)`` of all processes; also return this process's first row.

    Gradients reach every process's features. Since distributed training averages gradients over
    processes, a loss that each process computes over its own rows and all columns has the same
    gradient as on one process with the whole batch. ``N`` is equal on all processes.
    """
    if get_world_size() == 1:
        return features, 0
    everyone = torch.cat(list(all_gather(features)))
    if everyone.requires_grad:
        # torch's exchange of gradients (gloo) ignores strides.
        everyone.register_hook(lambda gradient: gradient.contiguous())
    return everyone, get_rank() * len(features)


def gather(values: Tensor) -> Tensor:
    """Concatenate values that need no gradient, ``(N, ...) -> (world_size * N, ...)``."""
    with torch.no_grad():
        return gather_with_gradient(values.detach())[0]


def of_another_sample(values: Tensor) -> Tensor:
    """Give each sample the values ``(N, ...)`` of another sample of any process, without gradient.

    The samples are shifted by half of their number, because neighbors may be from the same video. A
    single sample keeps its own values.
    """
    everyone, start = gather_with_gradient(values.detach())
    rows = torch.arange(len(values), device=values.device) + start + len(everyone) // 2
    return everyone[rows % len(everyone)]


def global_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Compute this process's share of weighted means over the samples of all processes.

    It returns ``world_size * sum(own values * own weight) / sum(all weights)``. Distributed
    training averages the gradients of these over processes, which gives the gradient of the global
    mean, even if processes have unequal weight. Without any weight it returns 0.

    Args:
        values: ``(..., N)``; the means are ``(...)``.
        weight: ``(..., N)``; it gets no gradient.
    """
    total = weight.detach().sum(-1).float()
    all_reduce(total)
    return (values * weight).sum(-1) * get_world_size() / total.clamp(min=1e-6)


@torch.no_grad()
def finds_own(scores: Tensor) -> Tensor:
    """1 where the column of a row's own sample has the highest score, else 0.

    Of equal scores the first column counts, so that equal features of all samples are at chance.

    Args:
        scores: ``(..., N, W*N)``, of this process's samples with those of all W processes.

    Returns:
        ``(..., N)``, of the same type.
    """
    num_rows = scores.shape[-2]
    own = torch.arange(num_rows, device=scores.device) + get_rank() * num_rows
    return (scores.argmax(-1) == own).to(scores.dtype)


def standardize(rows: Tensor) -> Tensor:
    """Shift and scale each column of ``(N, ...)`` to mean 0 and standard deviation 1.

    Columns without a deviation become 0.
    """
    variance, mean = torch.var_mean(rows, 0, correction=0)
    return (rows - mean) * (variance + 1e-5).rsqrt()
