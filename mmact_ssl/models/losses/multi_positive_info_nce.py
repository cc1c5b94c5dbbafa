"""InfoNCE with several positives per row."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS

from .common import full_precision, unit_rows


def multi_positive_info_nce(
    queries: Tensor, keys: Tensor, positive: Tensor, negative: Tensor, temperature: float
) -> dict[str, Tensor]:
    """InfoNCE of queries with any number of positive keys.

    With both at unit length, ``s_ij = queries_i . keys_j / temperature``, ``P_i`` the positive and
    ``N_i`` the negative keys of row ``i``::

        loss_i = -1/|P_i| * sum_{p in P_i} log( exp(s_ip) / sum_{j in P_i or N_i} exp(s_ij) )

    Khosla et al., supervised contrastive learning (arXiv 2004.11362), equation 2. With one positive
    it is InfoNCE.

    Args:
        queries: ``(N, D)``, need not be normalized.
        keys: ``(M, D)``, gathered by the caller.
        positive, negative: bool ``(N, M)``; a key that is neither is ignored.

    Returns:
        ``loss``, ``hit`` (1 if the most similar key is a positive) and ``weight``, ``(N,)`` each.
        For rows without a positive or without a negative all three are 0; other weights are 1.
    """
    with full_precision(queries):
        logits = unit_rows(queries) @ unit_rows(keys).T / temperature  # (N, M)
        counts = positive.any(1) & negative.any(1)
        logits = logits.masked_fill(~(positive | negative), torch.finfo(logits.dtype).min)
        log_share = logits - logits.logsumexp(1, keepdim=True)
        number = positive.sum(1).clamp(min=1)
        loss = -log_share.masked_fill(~positive, 0).sum(1) / number
        best = logits.detach().argmax(1, keepdim=True)
        hit = positive.gather(1, best)[:, 0] & counts
        return dict(
            loss=loss.masked_fill(~counts, 0), hit=hit.to(loss), weight=counts.to(loss.dtype)
        )


@MODELS.register_module()
class MultiPositiveInfoNCELoss(nn.Module):
    """InfoNCE with several positives per row, see :func:`multi_positive_info_nce`."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, queries: Tensor, keys: Tensor, positive: Tensor, negative: Tensor
    ) -> dict[str, Tensor]:
        return multi_positive_info_nce(queries, keys, positive, negative, self.temperature)


def clip_labels(video: Tensor, speed: Tensor | None, valid: Tensor | None) -> Tensor:
    """Labels of clips: video, speed, and 1 if no frame is padding; int64 ``(B, 3)``."""
    zeros = torch.zeros_like(video)
    usable = torch.ones_like(video) if valid is None else valid.all(1).to(video.dtype)
    return torch.stack([video, zeros if speed is None else speed, usable], dim=1)


def clip_relations(consistency: str, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Find the positive and the negative columns of each row, bool ``(N, M)`` each.

    For ``'appearance'`` clips of the same video are positive, all others negative. For ``'motion'``
    clips of another video at the same speed are positive, clips at another speed negative. A clip
    of the same video at the same speed is neither. Nor is a clip with padded frames, since these
    do not move. Rows and columns are labels of :func:`clip_labels`, ``(N, 3)`` and ``(M, 3)``.
    """
    same_video = rows[:, None, 0] == columns[:, 0]
    if consistency == 'appearance':
        return same_video, ~same_video
    if consistency != 'motion':
        raise ConfigError(f"consistency={consistency!r}: use 'appearance' or 'motion'")
    same_speed = rows[:, None, 1] == columns[:, 1]
    usable = (rows[:, None, 2] & columns[:, 2]).bool()
    return ~same_video & same_speed & usable, ~same_speed & usable
