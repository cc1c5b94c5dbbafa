"""InfoNCE with soft targets: the own pair, and similar pairs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.dist import get_rank
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import full_precision, gather, gather_with_gradient, unit_rows


def soft_target_info_nce(
    queries: Tensor, keys: Tensor, valid: Tensor, target: Tensor, temperature: float
) -> dict[str, Tensor]:
    """Cross-entropy of each query's similarities to all keys against a target distribution.

    With both at unit length, ``s_ij = queries_i . keys_j / temperature`` and ``t`` the target::

        loss_i = - sum_j t_ij log( exp(s_ij) / sum_{valid k} exp(s_ik) )

    With the identity as target this is InfoNCE (arXiv 1807.03748, equation 4). Keys come from all
    processes, with gradients.

    Args:
        queries, keys: ``(N, D)``, need not be normalized; the same N on every process.
        valid: bool ``(N,)``, pairs that count; other pairs are neither rows nor columns.
        target: ``(N, W*N)`` for W processes; rows of sum 1, zero at columns that are not valid.

    Returns:
        ``loss`` and ``hit`` (1 if the query's own key is the most similar), ``(N,)`` each.
    """
    with full_precision(queries):
        everyone, start = gather_with_gradient(unit_rows(keys))  # (W*N, D)
        all_valid = gather(valid)
        logits = unit_rows(queries) @ everyone.T / temperature  # (N, W*N)
        logits = logits.masked_fill(~all_valid, torch.finfo(logits.dtype).min)
        # Invalid columns have a target of zero and meaningless logarithms: mask the product.
        terms = (target.detach() * logits.log_softmax(1)).masked_fill(~all_valid, 0.0)
        own = torch.arange(start, start + len(queries), device=queries.device)
        hit = (logits.detach().argmax(1) == own).to(logits.dtype)
        return dict(loss=-terms.sum(1), hit=hit)


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
        rows = torch.arange(len(valid), device=valid.device)
        identity = torch.zeros_like(similar)
        identity[rows, rows + get_rank() * len(valid)] = 1
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
    """InfoNCE with :func:`soft_targets`, which have their own temperature."""

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
        """``loss`` and ``hit``, ``(N,)``, of :func:`soft_target_info_nce`, and ``perplexity``.

        The perplexity is the mean of exp(entropy of softmax(K / temperature)), an effective number
        of similar pairs. ``alpha`` and ``momentum`` are as in :func:`soft_targets`.
        """
        own = keys if momentum is None else momentum[1]
        target = soft_targets(valid, alpha, own, self.target_temperature, momentum, self.beta)
        outputs = soft_target_info_nce(queries, keys, valid, target, self.temperature)
        similarity = soft_targets(valid, 1.0, own, self.target_temperature)
        rows = torch.special.entr(similarity[valid]).sum(1).exp()
        return dict(**outputs, perplexity=rows.sum() / max(len(rows), 1))


def match_streams(
    loss: nn.Module, streams: Sequence[Sequence[Tensor]], valid: Tensor, alpha: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Compute both directions of the loss; losses are summed over streams, metrics averaged.

    Args:
        loss: A :class:`SoftTargetInfoNCELoss`.
        streams: Embeddings ``(B, D)`` of skeletons and of sentences for each stream, and optionally
            those of their moving averages.
        valid, alpha: See the loss.

    Returns:
        The outputs from skeletons to sentences, and from sentences to skeletons.
    """
    forward, backward = [], []
    for skeletons, sentences, *average in zip(*streams):
        pair, reverse = (tuple(average), tuple(average[::-1])) if average else (None, None)
        forward.append(loss(skeletons, sentences, valid, alpha, pair))
        backward.append(loss(sentences, skeletons, valid, alpha, reverse))
    return _join(forward), _join(backward)


def _join(streams: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    joined = {name: torch.stack([own[name] for own in streams]).mean(0) for name in streams[0]}
    return {**joined, 'loss': joined['loss'] * len(streams)}
