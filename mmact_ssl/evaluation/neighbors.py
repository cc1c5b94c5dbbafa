"""Nearest neighbors by cosine similarity, and the classes that they vote for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from mmact_ssl.evaluation.features import Features, normalize
from mmact_ssl.evaluation.rough_products import CROWD, GalleryCopy, multiplies_bfloat16

# Queries at a time, and pairs of these with gallery rows, at most; larger chunks gain nothing, and
# numbers of queries other than multiples of 64 cost a few percent.
CHUNK, PAIRS = 512, 1 << 26
# Pairs that are multiplied in double precision at a time.
BLOCK = 1024
# Fewer queries than these are not worth a rough copy of the gallery. Our choice.
FEW = 64


def nearest(
    queries: np.ndarray,
    gallery: np.ndarray,
    k: int,
    project: Callable[[np.ndarray], np.ndarray] = np.asarray,
    types: Sequence[torch.dtype] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k most similar gallery rows of each query; equal ones in gallery order.

    Exact in double precision, though all pairs of many queries are multiplied roughly only, in
    bfloat16 where the processor is fast at that, else in single precision: the rounding is bounded,
    and what lies within the bound is multiplied again.

    Args:
        queries: Unit rows ``(Q, D)``.
        gallery: Unit rows ``(G, D)``, or what ``project`` makes such of.
        k: Neighbors; at most G are found.
        project: Makes unit rows of gallery rows, each by itself. It is called for a part of the
            gallery at a time, so that there is no whole gallery in double precision.
        types: Of the rough products, from the coarsest on. Each serves the queries whose neighbors
            the one before could not tell from many other rows; what is left in the end is
            multiplied in double precision. None: by the processor and the number of queries.

    Returns:
        similarities float64 ``(Q, k)``, descending, and positions int64 ``(Q, k)``.
    """
    if types is None:
        fast = [torch.bfloat16] if multiplies_bfloat16() else []
        types = [*fast, torch.float32] if len(queries) >= FEW else []
    k = min(k, len(gallery))
    similarities = np.empty((len(queries), k))
    positions = np.empty((len(queries), k), np.int64)
    chunk = max(1, min(CHUNK, PAIRS // len(gallery)))
    chunk -= chunk % 64 if chunk > 64 else 0
    left = np.arange(len(queries))
    for dtype in types:
        if not len(left):
            break
        copy, unclear = GalleryCopy(gallery, project, dtype), []
        for start in range(0, len(left), chunk):
            rows = left[start : start + chunk]
            pairs, is_clear = copy.candidates(queries[rows], k)
            unclear.append(rows[~is_clear])
            similarity = multiply_pairs(queries[rows], gallery, project, *pairs)
            order = np.lexsort((-similarity, pairs[0]))  # keeps the order of equal ones
            first = np.searchsorted(pairs[0][order], np.flatnonzero(is_clear))  # of each query
            chosen = order[first[:, None] + np.arange(k)]  # (clear queries, k)
            similarities[rows[is_clear]] = similarity[chosen]
            positions[rows[is_clear]] = pairs[1][chosen]
        left = np.concatenate(unclear)
    # A product of matrices gives equal rows values that differ in the last bits, by their place.
    slack = (4 * queries.shape[1] + 32) * float(np.finfo(np.float64).eps)
    limit = CROWD * k if types else len(gallery)  # many queries of features that have collapsed
    for start in range(0, len(left), chunk):
        rows = left[start : start + chunk]
        whole = multiply_all(queries[rows], gallery, project)  # (chunk, G)
        for row, values in zip(rows, whole):
            last = np.partition(values, -k)[-k]
            near = np.flatnonzero(values >= last - slack)
            if len(near) > limit:  # those that are as good as equal to the last: the first of them
                equal = values[near] <= last + slack
                near = np.sort([*near[~equal], *near[equal][: k - np.sum(~equal)]])
            nought = np.zeros(len(near), np.int64)
            values[near] = multiply_pairs(queries[[row]], gallery, project, nought, near)
            near = near[np.argsort(-values[near], kind='stable')[:k]]
            similarities[row], positions[row] = values[near], near
    return similarities, positions


def multiply_pairs(
    queries: np.ndarray,
    gallery: np.ndarray,
    project: Callable[[np.ndarray], np.ndarray],
    query: np.ndarray,
    position: np.ndarray,
) -> np.ndarray:
    """Similarities of pairs ``query``, ``position`` int64 ``(N,)``, float64 ``(N,)``."""
    similarity = np.empty(len(query))
    for start in range(0, len(query), BLOCK):
        part = slice(start, start + BLOCK)
        rows = project(gallery[position[part]])
        similarity[part] = np.einsum('nd,nd->n', queries[query[part]], rows, dtype=np.float64)
    return similarity


def multiply_all(
    queries: np.ndarray, gallery: np.ndarray, project: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Similarities of all pairs, float64 ``(Q, G)``."""
    similarity = np.empty((len(queries), len(gallery)))
    for start in range(0, len(gallery), BLOCK):
        part = slice(start, start + BLOCK)
        similarity[:, part] = queries @ project(gallery[part]).astype(np.float64, copy=False).T
    return similarity


def below_all(counts: Sequence[int], size: int) -> list[int]:
    """Numbers of neighbors below the gallery's size, and the smallest one in any case.

    The others are left out of results: where all of the gallery is near, the features do not count.
    """
    return [count for count in counts if count < size or count == min(counts)]


def nearest_samples(
    train: Features, queries: np.ndarray, k: int, center: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Find training samples near queries ``(Q, D)`` by cosine similarity, see :func:`nearest`.

    With ``center`` the training mean is subtracted from both before they are normalized.
    """
    mean = train.values.mean(axis=0, dtype=np.float64) if center else None
    project = partial(normalize, center=mean)
    return nearest(project(queries), train.values, k, project)


def knn_scores(
    train: Features, queries: np.ndarray, num_classes: int, k: int, temperature: float = 0.07
) -> np.ndarray:
    """Score each class by the votes of the k nearest samples, ``(Q, num_classes)``: see `vote`."""
    similarity, position = nearest_samples(train, queries, k)
    return vote(similarity, train.labels[position], num_classes, temperature)


def vote(
    similarity: np.ndarray, labels: np.ndarray, num_classes: int, temperature: float
) -> np.ndarray:
    """Score each class by the votes ``exp(similarity / temperature)`` of a query's neighbors.

    Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR
    2018.

    Args:
        similarity, labels: Of the neighbors, the nearest first, ``(Q, k)``.
        temperature: > 0.

    Returns:
        float64 ``(Q, num_classes)``.
    """
    # Relative to the nearest: the same vote, and no overflow at a small temperature.
    votes = np.exp((similarity - similarity[:, :1]) / temperature)  # (Q, k)
    scores = np.zeros((len(labels), num_classes))
    np.add.at(scores, (np.arange(len(labels))[:, None], labels), votes)
    return scores
