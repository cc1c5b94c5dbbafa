"""Multi-instance InfoNCE."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import full_precision, gather, gather_with_gradient, unit_rows


def multi_instance_info_nce(
    queries: Tensor, keys: Tensor, keys_valid: Tensor, temperature: float
) -> dict[str, Tensor]:
    """Multi-instance InfoNCE between samples and bags of keys, in both directions.

    With ``s = queries . keys / temperature`` and ``P_i`` the valid keys of sample ``i``::

        sample to keys:  -log( sum_{p in P_i} exp(s_ip) / sum_{all valid p} exp(s_ip) )
        key to samples:  -log( exp(s_ip) / sum_j exp(s_jp) )        for each valid p in P_i

    In the first direction *some* of a sample's keys must match, not each of them. Each direction
    has its own negatives in its denominator; MIL-NCE (Miech et al., CVPR 2020) joins both in one.
    CSVR is reported to use a multi-instance InfoNCE for context matching; the second direction and
    the shared temperature are our choice. Negatives come from all processes.

    Args:
        queries: ``(N, D)``, need not be normalized.
        keys: ``(N, K, D)``: the keys of sample ``i`` are ``keys[i]``.
        keys_valid: bool ``(N, K)``; an invalid key is neither a positive nor a negative.

    Returns:
        ``sample_loss`` ``(N,)``, 0 for a sample without a valid key; ``key_loss`` ``(N, K)``;
        ``hit`` ``(N,)``: 1 if a sample's most similar key is its own.
    """
    with full_precision(queries):
        queries, keys = unit_rows(queries), unit_rows(keys)  # (N, D), (N, K, D)
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

        key_logits = keys @ all_queries.T / temperature  # (N, K, W*N)
        target = own[:, None].expand(-1, num_keys)
        key_loss = F.cross_entropy(key_logits.flatten(0, 1), target.flatten(), reduction='none')
        hit = (owner[logits.detach().argmax(1)] == own).to(logits.dtype)
        return dict(
            sample_loss=sample_loss * keys_valid.any(1),
            key_loss=key_loss.view_as(keys_valid),
            hit=hit,
        )


@MODELS.register_module()
class MultiInstanceInfoNCELoss(nn.Module):
    """Multi-instance InfoNCE of samples and bags, see :func:`multi_instance_info_nce`."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, queries: Tensor, keys: Tensor, keys_valid: Tensor) -> dict[str, Tensor]:
        return multi_instance_info_nce(queries, keys, keys_valid, self.temperature)
