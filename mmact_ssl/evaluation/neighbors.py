"""Nearest neighbors by cosine similarity, and the classes that they vote for."""

from __future__ import annotations

import numpy as np

from mmact_ssl.evaluation.features import Features, lengths, normalize

# Queries at a time, and bytes of their similarities, at most; larger chunks gain nothing.
CHUNK, CHUNK_BYTES = 512, 1 << 27
# Rows of each query, for each wanted neighbor, that are compared one by one.
CROWD = 16
# Groups of gallery rows for each wanted neighbor, see :func:`lower_bound`. Our choice.
GROUPS = 8


def nearest(queries: np.ndarray, gallery: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k most similar gallery rows of each query; equal ones in gallery order.

    Exact in double precision, though all pairs are multiplied in single precision only: its
    rounding is bounded, and what lies within the bound is multiplied again.

    Args:
        queries, gallery: Unit rows ``[Q, D]``, ``[G, D]``.
        k: Neighbors; at most G are found.

    Returns:
        similarities float64 ``[Q, k]``, descending, and positions int64 ``[Q, k]``.
    """
    k = min(k, len(gallery))
    chunk = max(1, min(CHUNK, CHUNK_BYTES // (4 * len(gallery))))
    single = gallery.astype(np.float32, copy=False)
    # What a product in single precision is off by, relative to the lengths of its rows (Higham,
    # Accuracy and Stability of Numerical Algorithms, 3.1); 3 for rounded rows and bound.
    share = (queries.shape[1] + 3) * float(np.finfo(np.float32).eps) / 2
    error = share / (1 - share) * lengths(queries) * lengths(gallery).max()  # [Q]
    similarities, positions = [], []
    for start in range(0, len(queries), chunk):
        part = queries[start : start + chunk]
        rough = part.astype(np.float32) @ single.T  # [chunk, G]
        # Few rows are left to compare in double precision, k of each query and some more.
        bound = lower_bound(rough, k) - 2 * error[start : start + chunk]
        row, column = np.nonzero(rough >= bound.astype(np.float32)[:, None])
        if len(row) <= CROWD * k * len(part):
            similarity = np.einsum('nd,nd->n', part[row], gallery[column], dtype=np.float64)
        else:  # features that have collapsed: single precision tells few of them apart
            exact = part @ gallery.astype(np.float64, copy=False).T  # [chunk, G]
            row, column = np.nonzero(exact >= lower_bound(exact, k)[:, None])
            similarity = exact[row, column]
        order = np.lexsort((-similarity, row))  # keeps the order of equal ones
        first = np.searchsorted(row, np.arange(len(part)))  # of each query
        chosen = order[first[:, None] + np.arange(k)]  # [chunk, k]
        positions.append(column[chosen])
        similarities.append(similarity[chosen])
    return np.concatenate(similarities), np.concatenate(positions)


def lower_bound(values: np.ndarray, k: int) -> np.ndarray:
    """A number ``[N]`` that at least k values of each row ``[N, G]`` reach, and few more.

    The k-th largest of the maxima of groups of values: each of the k largest maxima is a value.
    """
    count = min(GROUPS * k, values.shape[1])
    size = values.shape[1] // count
    groups = values[:, : count * size].reshape(len(values), count, size)
    return np.partition(groups.max(axis=2), count - k, axis=1)[:, count - k]


def nearest_samples(
    train: Features, queries: np.ndarray, k: int, center: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Find training samples near queries ``[Q, D]`` by cosine similarity, see :func:`nearest`.

    With ``center`` the training mean is subtracted from both before they are normalized.
    """
    mean = train.values.mean(axis=0, dtype=np.float64) if center else None
    return nearest(normalize(queries, mean), normalize(train.values, mean), k)


def knn_scores(
    train: Features, queries: np.ndarray, num_classes: int, k: int, temperature: float = 0.07
) -> np.ndarray:
    """Score each class by the votes of the k nearest samples, ``[Q, num_classes]``: see `vote`."""
    similarity, position = nearest_samples(train, queries, k)
    return vote(similarity, train.labels[position], num_classes, temperature)


def vote(
    similarity: np.ndarray, labels: np.ndarray, num_classes: int, temperature: float
) -> np.ndarray:
    """Score each class by the votes ``exp(similarity / temperature)`` of a query's neighbors.

    Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR
    2018.

    Args:
        similarity, labels: Of the neighbors, the nearest first, ``[Q, k]``.
        temperature: > 0.

    Returns:
        float64 ``[Q, num_classes]``.
    """
    # Relative to the nearest: the same vote, and no overflow at a small temperature.
    votes = np.exp((similarity - similarity[:, :1]) / temperature)  # [Q, k]
    scores = np.zeros((len(labels), num_classes))
    np.add.at(scores, (np.arange(len(labels))[:, None], labels), votes)
    return scores
