"""Retrieval on frozen features: test samples search the training samples by cosine similarity."""

from __future__ import annotations

from collections.abc import Sequence

from mmact_ssl.evaluation.neighbors import below_all, nearest_samples
from mmact_ssl.evaluation.protocols.base import Measured, ProtocolInput


def evaluate(inputs: ProtocolInput, topk: Sequence[int] = (1, 5, 10, 20, 50)) -> Measured:
    """Measure ``recall@k``, the share of queries with a sample of their class among the k nearest.

    Args:
        topk: Numbers of neighbors; those that reach the gallery's size are left out, see
            :func:`below_all`.
    """
    train, test = inputs.features('train'), inputs.features('test')
    topk = below_all(topk, len(train.labels))
    _, position = nearest_samples(train, test.values, max(topk))
    hit = train.labels[position] == test.labels[:, None]  # (Q, max(topk))
    return Measured({f'recall@{k}': float(hit[:, :k].any(axis=1).mean()) for k in topk})
