"""Retrieval on frozen features: test videos query the training videos by cosine similarity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmact_ssl.evaluation.features import Features, normalize
from mmact_ssl.evaluation.knn import nearest


def evaluate_retrieval(
    train: Features,
    test: Features,
    topk: Sequence[int] = (1, 5, 10, 20, 50),
    center: bool = False,
) -> dict[str, float]:
    """Measure recall: the share of queries with a video of their class among the k nearest.

    Args:
        train: Gallery.
        test: Queries.
        topk: Numbers of neighbors; one above the gallery's size counts the whole gallery.
        center: Subtract the gallery's mean before normalizing.

    Returns:
        ``recall@k`` in 0..1 for each k.
    """
    mean = train.values.mean(axis=0, dtype=np.float64) if center else None
    _, position = nearest(normalize(test.values, mean), normalize(train.values, mean), max(topk))
    hit = train.labels[position] == test.labels[:, None]  # [Q, max(topk)]
    return {f'recall@{k}': float(hit[:, :k].any(axis=1).mean()) for k in topk}
