"""Nearest neighbors by cosine similarity, and the classes that they vote for."""

from __future__ import annotations

import numpy as np

from mmact_ssl.evaluation.features import Features, normalize


def nearest(
    queries: np.ndarray, gallery: np.ndarray, k: int, chunk: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k most similar gallery rows of each query; equal ones in gallery order.

    Args:
        queries, gallery: Unit rows ``[Q, D]``, ``[G, D]``.
        k: Neighbors; at most G are found.
        chunk: Queries at a time.

    Returns:
        similarities float64 ``[Q, k]``, descending, and positions int64 ``[Q, k]``.
    """
    similarities, positions = [], []
    for start in range(0, len(queries), chunk):
        similarity = queries[start : start + chunk] @ gallery.T  # [chunk, G]
        order = np.argsort(-similarity, axis=1, kind='stable')[:, :k]
        positions.append(order)
        similarities.append(np.take_along_axis(similarity, order, axis=1))
    return np.concatenate(similarities), np.concatenate(positions)


def knn_scores(
    train: Features,
    queries: np.ndarray,
    num_classes: int,
    k: int,
    temperature: float = 0.07,
    center: bool = False,
) -> np.ndarray:
    """Score each class by the votes ``exp(similarity / temperature)`` of the k nearest samples.

    Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR
    2018.

    Args:
        train: Labeled samples.
        queries: ``[Q, D]``.
        temperature: Of the votes, > 0.
        center: Subtract the training mean before normalizing.

    Returns:
        float64 ``[Q, num_classes]``.
    """
    mean = train.values.mean(axis=0, dtype=np.float64) if center else None
    similarity, position = nearest(normalize(queries, mean), normalize(train.values, mean), k)
    # Relative to the nearest: the same vote, and no overflow at a small temperature.
    votes = np.exp((similarity - similarity[:, :1]) / temperature)  # [Q, k]
    scores = np.zeros((len(queries), num_classes))
    np.add.at(scores, (np.arange(len(queries))[:, None], train.labels[position]), votes)
    return scores
