"""Contrastive losses."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank
from torch import Tensor

from .gather import gather, gather_with_gradient, global_mean


def multi_instance_info_nce(
    queries: Tensor, keys: Tensor, keys_valid: Tensor, temperature: float
) -> dict[str, Tensor]:
    """Multi-instance InfoNCE between samples and bags of keys, in both directions.

    With ``s = queries . keys / temperature`` and ``P_i`` the valid keys of sample ``i``::

        sample to keys:  -log( sum_{p in P_i} exp(s_ip) / sum_{all valid p} exp(s_ip) )
        key to samples:  -log( exp(s_ip) / sum_j exp(s_jp) )        for each valid p in P_i

    The first direction asks for *some* of a sample's keys to match, not for each of them (MIL-NCE,
    Miech et al., CVPR 2020, equation 1). CSVR is reported to use it for context matching; the
    second direction and the shared temperature are our choice. Negatives come from all processes.

    Args:
        queries: ``[N, D]``, need not be normalized.
        keys: ``[N, K, D]``: the keys of sample ``i`` are ``keys[i]``.
        keys_valid: bool ``[N, K]``; an invalid key is neither a positive nor a negative.
        temperature: ``> 0``.

    Returns:
        ``loss``, and ``accuracy``: the share of samples whose most similar key is their own.
        Samples without any valid key count in neither.
    """
    # Half precision loses the small differences between the logits of many negatives, and mixed
    # precision would multiply matrices in it whatever the type of the operands.
    with torch.autocast(queries.device.type, enabled=False):
        queries = F.normalize(queries.float(), dim=-1)  # (N, D)
        keys = F.normalize(keys.float(), dim=-1)  # (N, K, D)
        all_queries, start = gather_with_gradient(queries)  # (W*N, D)
        all_keys, _ = gather_with_gradient(keys)
        all_valid = gather(keys_valid).flatten()  # (W*N*K)
        num_samples, num_keys = keys_valid.shape
        own = torch.arange(start, start + num_samples, device=queries.device)
        owner = torch.arange(len(all_queries), device=queries.device).repeat_interleave(num_keys)

        logits = queries @ all_keys.flatten(0, 1).T / temperature  # (N, W*N*K)
        minimum = torch.finfo(logits.dtype).min
        logits = logits.masked_fill(~all_valid, minimum)
        positive = (owner == own[:, None]) & all_valid  # (N, W*N*K)
        sample_loss = logits.logsumexp(1) - logits.masked_fill(~positive, minimum).logsumexp(1)
        has_key = keys_valid.any(1).to(logits.dtype)

        key_logits = keys @ all_queries.T / temperature  # (N, K, W*N)
        target = own[:, None].expand(-1, num_keys)
        key_loss = F.cross_entropy(key_logits.flatten(0, 1), target.flatten(), reduction='none')

        loss = global_mean(sample_loss * has_key, has_key)
        loss = loss + global_mean(key_loss, keys_valid.flatten().to(key_loss.dtype))
        with torch.no_grad():
            hit = (owner[logits.argmax(1)] == own).to(logits.dtype)
            accuracy = (hit * has_key).sum() / has_key.sum().clamp(min=1)
        return dict(loss=loss / 2, accuracy=accuracy)


def info_nce(
    queries: Tensor, keys: Tensor, temperature: float, valid: Optional[Tensor] = None
) -> dict[str, Tensor]:
    """InfoNCE of each query against the keys of the whole batch, of which its own is right.

    With both at unit length and ``s_ij = queries_i . keys_j / temperature``::

        loss_i = -log( exp(s_ii) / sum_j exp(s_ij) )

    van den Oord et al. (arXiv 1807.03748), equation 4. Keys come from all processes and get no
    gradient.

    Args:
        queries: ``[N, D]``, need not be normalized.
        keys: ``[N, D]``, of frozen networks; the same N on every process.
        temperature: ``> 0``.
        valid: bool ``[N]``: pairs that count, None for all. The others are nobody's negative.

    Returns:
        ``loss`` and ``hit`` (1 where its own key is the most similar), ``[N]`` each; 0 for pairs
        that are not valid.
    """
    with torch.autocast(queries.device.type, enabled=False):
        precision = torch.promote_types(queries.dtype, torch.float32)
        queries = F.normalize(queries.to(precision), dim=-1)
        own_keys = F.normalize(keys.detach().to(precision), dim=-1)
        everyone = gather(own_keys)  # (W*N, D)
        start = get_rank() * len(keys)
        own = torch.arange(start, start + len(keys), device=queries.device)
        logits = queries @ everyone.T / temperature  # (N, W*N)
        if valid is not None:
            logits = logits.masked_fill(~gather(valid), torch.finfo(precision).min)
        loss = F.cross_entropy(logits, own, reduction='none')
        hit = (logits.detach().argmax(1) == own).to(logits.dtype)
        if valid is not None:
            loss, hit = loss.masked_fill(~valid, 0), hit.masked_fill(~valid, 0)
        return dict(loss=loss, hit=hit)


def multi_positive_info_nce(
    queries: Tensor, keys: Tensor, positive: Tensor, negative: Tensor, temperature: float
) -> dict[str, Tensor]:
    """InfoNCE of queries that may have several positive keys each, or none.

    With both at unit length, ``s_ij = queries_i . keys_j / temperature``, ``P_i`` the positive and
    ``N_i`` the negative keys of row ``i``::

        loss_i = -1/|P_i| * sum_{p in P_i} log( exp(s_ip) / sum_{j in P_i or N_i} exp(s_ij) )

    Khosla et al., supervised contrastive learning (arXiv 2004.11362), equation 2. With one positive
    it is InfoNCE.

    Args:
        queries: ``[N, D]``, need not be normalized.
        keys: ``[M, D]``, gathered by the caller.
        positive, negative: bool ``[N, M]``; a key that is neither takes no part.
        temperature: ``> 0``.

    Returns:
        Each ``[N]``: ``loss``; ``hit``, 1 where the most similar key is a positive; ``weight``, 0
        (and then loss and hit are 0 too) for rows that lack a positive or a negative, else 1.
    """
    with torch.autocast(queries.device.type, enabled=False):
        precision = torch.promote_types(queries.dtype, torch.float32)
        queries = F.normalize(queries.to(precision), dim=-1)
        keys = F.normalize(keys.to(precision), dim=-1)
        logits = queries @ keys.T / temperature  # (N, M)
        counts = positive.any(1) & negative.any(1)
        logits = logits.masked_fill(~(positive | negative), torch.finfo(precision).min)
        log_share = logits - logits.logsumexp(1, keepdim=True)
        number = positive.sum(1).clamp(min=1)
        loss = -log_share.masked_fill(~positive, 0).sum(1) / number
        best = logits.detach().argmax(1, keepdim=True)
        hit = positive.gather(1, best)[:, 0] & counts
        return dict(
            loss=loss.masked_fill(~counts, 0), hit=hit.to(precision), weight=counts.to(precision)
        )
