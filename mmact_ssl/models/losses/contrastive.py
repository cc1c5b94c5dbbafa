"""Contrasts: InfoNCE in five forms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.common import (
    finds_own,
    full_precision,
    gather,
    gather_with_gradient,
    unit_rows,
)
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class InfoNCELoss(nn.Module):
    """InfoNCE of queries against the keys of the whole batch.

    With both at unit length and ``s_ij = queries_i . keys_j / temperature``::

        loss_i = -log( exp(s_ii) / sum_j exp(s_ij) )

    van den Oord et al. (arXiv 1807.03748), equation 4. Keys come from all processes and get no
    gradient.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, queries: Tensor, keys: Tensor, valid: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compare ``(N, D)``, which need not be normalized; the same N on every process.

        Args:
            valid: bool ``(N,)``, pairs that count; None: all. Other pairs are not negatives either.

        Returns:
            ``loss`` and ``hit`` (1 if the query's own key is the most similar), ``(N,)`` each; 0
            for pairs that are not valid.
        """
        with full_precision(queries):
            queries, keys = unit_rows(queries), unit_rows(keys.detach())
            own = torch.arange(len(keys), device=queries.device) + get_rank() * len(keys)
            logits = queries @ gather(keys).T / self.temperature  # (N, W*N)
            if valid is not None:
                logits = logits.masked_fill(~gather(valid), torch.finfo(logits.dtype).min)
            loss = F.cross_entropy(logits, own, reduction='none')
            hit = finds_own(logits)
            if valid is not None:
                loss, hit = loss.masked_fill(~valid, 0), hit.masked_fill(~valid, 0)
            return dict(loss=loss, hit=hit)


@MODELS.register_module()
class NTXentLoss(nn.Module):
    """Normalized temperature-scaled cross-entropy of 2N rows.

    With ``u_1 .. u_2N`` the rows of both sets at unit length, ``i'`` the partner of row ``i`` and
    ``s_ij = u_i . u_j / temperature``, ``s_ii = self_similarity / temperature``::

        loss_i = -log( exp(s_ii') / sum_j exp(s_ij) )

    Source: Chen et al., SimCLR (arXiv 2002.05709), equation 1, which leaves ``s_ii`` out of the
    sum. MS2L's released code keeps it, at -1 before the temperature. Negatives come from all
    processes.

    Args:
        temperature: ``> 0``; 0.9 as published for MS2L, 0.1 is usual for two augmented views.
        self_similarity: Value for the similarity of a row with itself; None leaves it out.
    """

    def __init__(self, temperature: float, self_similarity: float | None = -1.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.self_similarity = self_similarity

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """Contrast ``(N, D)``, which need not be normalized; the same N on every process.

        Returns:
            ``loss`` and ``hit`` (1 if a row's partner is the most similar of all other rows),
            ``(2, N)`` each, the rows of ``first`` before those of ``second``.
        """
        with full_precision(first):
            own = unit_rows(torch.stack([first, second]))  # (2, N, D)
            num_rows = own.shape[1]
            everyone, start = gather_with_gradient(own.transpose(0, 1))  # (W*N, 2, D)
            num_all = len(everyone)
            columns = everyone.transpose(0, 1).flatten(0, 1)  # (2*W*N, D): all first, all second
            similarity = own @ columns.T  # (2, N, 2*W*N)

            row = torch.arange(start, start + num_rows, device=own.device)
            itself = torch.stack([row, row + num_all])[..., None]  # (2, N, 1)
            partner = itself.flip(0)
            excluded = torch.finfo(similarity.dtype).min
            itself_logit = (
                excluded
                if self.self_similarity is None
                else self.self_similarity / self.temperature
            )
            logits = (similarity / self.temperature).scatter(2, itself, itself_logit)
            loss = F.cross_entropy(logits.flatten(0, 1), partner.flatten(), reduction='none')
            best = similarity.detach().scatter(2, itself, excluded).argmax(2)  # (2, N)
            hit = (best == partner[..., 0]).to(logits.dtype)
            return dict(loss=loss.view_as(hit), hit=hit)


@MODELS.register_module()
class MultiInstanceInfoNCELoss(nn.Module):
    """Multi-instance InfoNCE between samples and bags of keys.

    With ``s = queries . keys / temperature`` and ``P_i`` the valid keys of sample ``i``::

        sample to keys:  -log( sum_{p in P_i} exp(s_ip) / sum_{all valid p} exp(s_ip) )
        key to samples:  -log( exp(s_ip) / sum_j exp(s_jp) )        for each valid p in P_i

    In the first direction *some* of a sample's keys must match, not each of them. Each direction
    has its own negatives in its denominator; MIL-NCE (Miech et al., CVPR 2020) joins both in one.
    CSVR is reported to use a multi-instance InfoNCE for context matching; the second direction and
    the shared temperature are our choice. Negatives come from all processes.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, queries: Tensor, keys: Tensor, keys_valid: Tensor) -> dict[str, Tensor]:
        """Compare queries ``(N, D)`` with keys ``(N, K, D)``, which need not be normalized.

        Args:
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
            owner = torch.arange(len(all_valid), device=queries.device) // num_keys  # (W*N*K)

            logits = queries @ all_keys.flatten(0, 1).T / self.temperature  # (N, W*N*K)
            minimum = torch.finfo(logits.dtype).min
            logits = logits.masked_fill(~all_valid, minimum)
            positive = (owner == own[:, None]) & all_valid  # (N, W*N*K)
            sample_loss = logits.logsumexp(1) - logits.masked_fill(~positive, minimum).logsumexp(1)

            key_logits = keys @ all_queries.T / self.temperature  # (N, K, W*N)
            target = own[:, None].expand(-1, num_keys)
            key_loss = F.cross_entropy(key_logits.flatten(0, 1), target.flatten(), reduction='none')
            hit = (owner[logits.detach().argmax(1)] == own).to(logits.dtype)
            return dict(
                sample_loss=sample_loss * keys_valid.any(1),
                key_loss=key_loss.view_as(keys_valid),
                hit=hit,
            )


@MODELS.register_module()
class MultiPositiveInfoNCELoss(nn.Module):
    """InfoNCE with several positives per row.

    With both at unit length, ``s_ij = queries_i . keys_j / temperature``, ``P_i`` the positive and
    ``N_i`` the negative keys of row ``i``::

        loss_i = -1/|P_i| * sum_{p in P_i} log( exp(s_ip) / sum_{j in P_i or N_i} exp(s_ij) )

    Khosla et al., supervised contrastive learning (arXiv 2004.11362), equation 2. With one positive
    it is InfoNCE.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(
        self, queries: Tensor, keys: Tensor, positive: Tensor, negative: Tensor
    ) -> dict[str, Tensor]:
        """Compare queries ``(N, D)``, not normalized, with keys ``(M, D)`` of all processes.

        Args:
            positive, negative: bool ``(N, M)``; a key that is neither is ignored.

        Returns:
            ``loss``, ``hit`` (1 if the most similar key is a positive) and ``weight``, ``(N,)``
            each. For rows without a positive or without a negative all three are 0; other weights
            are 1.
        """
        with full_precision(queries):
            logits = unit_rows(queries) @ unit_rows(keys).T / self.temperature  # (N, M)
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


@torch.no_grad()
def soft_targets(
    valid: Tensor,
    alpha: float,
    own: Tensor,
    temperature: float,
    momentum: tuple[Tensor, Tensor] | None = None,
    beta: float = 1.0,
) -> Tensor:
    """Target distributions over all pairs, ``(N, W*N)``, from the own pair to all similar pairs.

    With ``K`` the cosines of the rows of ``own`` and ``S'`` the cosines of the two momentum
    embeddings::

        (1 - alpha) * identity
        + alpha * (beta * softmax(K / temperature) + (1 - beta) * softmax(S' / temperature))

    with softmaxes over valid columns; without ``S'``, ``beta`` is 1. C2VL (arXiv 2405.20606)
    softens by self-similarity and cross-consistency; the formula is our choice.

    Args:
        valid: bool ``(N,)``; the same N on each of W processes.
        alpha: 0 (identity) .. 1.
        own: ``(N, E)``, embeddings of the keys' modality.
        momentum: Query and key embeddings of the moving average, ``(N, D)`` each.
    """
    with full_precision(own):
        all_valid = gather(valid)
        similar = _softmax_of_cosines(own, own, all_valid, temperature)
        if momentum is not None:
            consistent = _softmax_of_cosines(*momentum, all_valid, temperature)
            similar = beta * similar + (1 - beta) * consistent
        rows = torch.arange(len(valid), device=valid.device) + get_rank() * len(valid)
        identity = F.one_hot(rows, len(all_valid)).to(similar)
        return (1 - alpha) * identity.masked_fill(~all_valid, 0.0) + alpha * similar


def _softmax_of_cosines(
    queries: Tensor, keys: Tensor, all_valid: Tensor, temperature: float
) -> Tensor:
    """Softmax of the cosines over the valid keys of all processes, 0 for others."""
    logits = unit_rows(queries) @ gather(unit_rows(keys)).T / temperature
    logits = logits.masked_fill(~all_valid, torch.finfo(logits.dtype).min)
    return logits.softmax(1).masked_fill(~all_valid, 0.0)


@MODELS.register_module()
class SoftTargetInfoNCELoss(nn.Module):
    """Cross-entropy of similarities against :func:`soft_targets`.

    With both at unit length, ``s_ij = queries_i . keys_j / temperature`` and ``t`` the target::

        loss_i = - sum_j t_ij log( exp(s_ij) / sum_{valid k} exp(s_ik) )

    With the identity as target this is InfoNCE (arXiv 1807.03748, equation 4). Keys come from all
    processes, with gradients; targets have none.
    """

    def __init__(
        self, temperature: float = 0.1, target_temperature: float = 0.1, beta: float = 0.5
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.target_temperature = target_temperature
        self.beta = beta

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        valid: Tensor,
        alpha: float,
        momentum: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compare ``(N, D)``, which need not be normalized; the same N on every process.

        Args:
            valid: bool ``(N,)``, pairs that count; other pairs are neither rows nor columns.

        Returns:
            ``loss`` and ``hit`` (1 if the query's own key is the most similar), ``(N,)`` each.
        """
        own = keys if momentum is None else momentum[1]
        target = soft_targets(valid, alpha, own, self.target_temperature, momentum, self.beta)
        with full_precision(queries):
            everyone, _ = gather_with_gradient(unit_rows(keys))  # (W*N, D)
            all_valid = gather(valid)
            logits = unit_rows(queries) @ everyone.T / self.temperature  # (N, W*N)
            logits = logits.masked_fill(~all_valid, torch.finfo(logits.dtype).min)
            # Invalid columns have a target of zero and meaningless logarithms: mask the product.
            terms = (target * logits.log_softmax(1)).masked_fill(~all_valid, 0.0)
            return dict(loss=-terms.sum(1), hit=finds_own(logits))
