"""Contrast of two modalities with targets between one's own partner and all that are alike."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank
from torch import Tensor

from .gather import gather, gather_with_gradient, global_mean


def soft_target_info_nce(
    queries: Tensor,
    keys: Tensor,
    valid: Tensor,
    target: Tensor,
    temperature: float,
) -> dict[str, Tensor]:
    """Cross-entropy of each query's similarities to all keys against a given distribution.

    With both at unit length, ``s_ij = queries_i . keys_j / temperature`` and ``t`` the target::

        loss = mean over valid i of  - sum_j t_ij log( exp(s_ij) / sum_{valid k} exp(s_ik) )

    With the identity as target this is InfoNCE (arXiv 1807.03748, equation 4). Keys come from all
    processes, with gradients.

    Args:
        queries, keys: ``[N, D]``, need not be normalized; the same N on every process.
        valid: bool ``[N]``: pairs that count; the others are neither rows nor columns.
        target: ``[N, W*N]``, rows of sum 1, zero at columns that are not valid, W processes.
        temperature: ``> 0``.

    Returns:
        ``loss``, this process's share of the mean over all processes' rows (see
        :func:`global_mean`); ``hit``, ``[N]``: 1 where its own key is the most similar.
    """
    # As in multi_instance_info_nce: half precision loses small differences between many logits.
    with torch.autocast(queries.device.type, enabled=False):
        queries, keys = _unit(queries), _unit(keys)
        everyone, start = gather_with_gradient(keys)  # (W*N, D)
        all_valid = gather(valid)
        logits = queries @ everyone.T / temperature  # (N, W*N)
        logits = logits.masked_fill(~all_valid, torch.finfo(logits.dtype).min)
        # Where the target is zero the logarithm may be anything; zero times it must stay zero.
        terms = (target.detach() * logits.log_softmax(1)).masked_fill(~all_valid, 0.0)
        loss = global_mean(-terms.sum(1), valid.to(logits.dtype))
        with torch.no_grad():
            own = torch.arange(start, start + len(queries), device=queries.device)
            hit = (logits.argmax(1) == own).to(logits.dtype)
        return dict(loss=loss, hit=hit)


@torch.no_grad()
def soft_targets(
    valid: Tensor,
    alpha: float,
    own: Tensor,
    momentum: Optional[tuple[Tensor, Tensor]] = None,
    share: float = 0.5,
    temperature: float = 0.1,
) -> Tensor:
    """Distributions over all pairs, between one's own pair and the pairs that are alike.

    With ``K`` the cosine of the rows of ``own``, ``S'`` that of the two momentum embeddings, and
    softmaxes over valid columns::

        target = (1 - alpha) * identity
                 + alpha * ( share * softmax(K / temperature)
                             + (1 - share) * softmax(S' / temperature) )

    C2VL (arXiv 2405.20606) softens by intra-modal self-similarity and inter-modal
    cross-consistency; this formula and its numbers are our choice. Without ``S'`` the
    self-similarity has all of ``alpha``.

    Args:
        valid: bool ``[N]``; the same N on every process.
        alpha: 0 (identity) .. 1.
        own: ``[N, E]``: embeddings whose likeness softens the rows, of the modality of the keys.
        momentum: Query and key embeddings of the moving average, ``[N, D]`` each.
        share: Of the self-similarity, 0 .. 1.
        temperature: Of the targets, ``> 0``.

    Returns:
        ``[N, W*N]``, at least float32, without gradient; W processes.
    """
    with torch.autocast(own.device.type, enabled=False):
        all_valid = gather(valid)
        alike = _spread(own, own, all_valid, temperature)
        if momentum is not None:
            consistent = _spread(*momentum, all_valid, temperature)
            alike = share * alike + (1 - share) * consistent
        rows = torch.arange(len(valid), device=valid.device)
        identity = torch.zeros_like(alike)
        identity[rows, rows + get_rank() * len(valid)] = 1
        return (1 - alpha) * identity.masked_fill(~all_valid, 0.0) + alpha * alike


def _spread(queries: Tensor, keys: Tensor, all_valid: Tensor, temperature: float) -> Tensor:
    """Softmax of the cosines over the valid keys of all processes, 0 for others."""
    logits = _unit(queries) @ gather(_unit(keys)).T / temperature
    logits = logits.masked_fill(~all_valid, torch.finfo(logits.dtype).min)
    return logits.softmax(1).masked_fill(~all_valid, 0.0)


def _unit(values: Tensor) -> Tensor:
    return F.normalize(values.to(torch.promote_types(values.dtype, torch.float32)), dim=-1)
