"""InfoNCE against the keys of frozen networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import full_precision, gather, unit_rows


def info_nce(
    queries: Tensor, keys: Tensor, temperature: float, valid: Tensor | None = None
) -> dict[str, Tensor]:
    """InfoNCE of each query against the keys of the whole batch; its own key is the positive.

    With both at unit length and ``s_ij = queries_i . keys_j / temperature``::

        loss_i = -log( exp(s_ii) / sum_j exp(s_ij) )

    van den Oord et al. (arXiv 1807.03748), equation 4. Keys come from all processes and get no
    gradient.

    Args:
        queries: ``(N, D)``, need not be normalized.
        keys: ``(N, D)``, of frozen networks; the same N on every process.
        valid: bool ``(N,)``, pairs that count; None: all. Other pairs are not negatives either.

    Returns:
        ``loss`` and ``hit`` (1 if the query's own key is the most similar), ``(N,)`` each; 0 for
        pairs that are not valid.
    """
    with full_precision(queries):
        queries, keys = unit_rows(queries), unit_rows(keys.detach())
        start = get_rank() * len(keys)
        own = torch.arange(start, start + len(keys), device=queries.device)
        logits = queries @ gather(keys).T / temperature  # (N, W*N)
        if valid is not None:
            logits = logits.masked_fill(~gather(valid), torch.finfo(logits.dtype).min)
        loss = F.cross_entropy(logits, own, reduction='none')
        hit = (logits.detach().argmax(1) == own).to(logits.dtype)
        if valid is not None:
            loss, hit = loss.masked_fill(~valid, 0), hit.masked_fill(~valid, 0)
        return dict(loss=loss, hit=hit)


@MODELS.register_module()
class InfoNCELoss(nn.Module):
    """InfoNCE against the keys of frozen networks, see :func:`info_nce`."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, queries: Tensor, keys: Tensor, valid: Tensor | None = None
    ) -> dict[str, Tensor]:
        return info_nce(queries, keys, self.temperature, valid)
