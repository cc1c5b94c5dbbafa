"""Nearest neighbors by cosine similarity, and their votes for classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.features import Features, normalize

# Numbers of queries and of gallery rows compared at a time.
CHUNK, BLOCK = 1024, 4096
# A similarity becomes a whole number of steps, and with the row's place one key of 64 bits.
STEPS, PLACES = 1 << 34, 1 << 28


def nearest(
    queries: np.ndarray,
    gallery: np.ndarray,
    k: int,
    project: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k most similar gallery rows of each query; ties in gallery order.

    Similarities are rounded to 1e-10: those of equal rows differ in the last bits of a product.

    Args:
        queries: Unit rows ``(Q, D)``.
        gallery: Unit rows ``(G, D)``, or rows that ``project`` turns into unit rows.
        k: Number of neighbors, limited to G.
        project: Turns gallery rows into unit rows, each independently. It gets a block of the
            gallery at a time: the whole gallery is never in double precision.

    Returns:
        similarities float64 ``(Q, k)``, descending, and positions int64 ``(Q, k)``.

    Raises:
        DataError: A gallery row is not finite.
    """
    parts = torch.from_numpy(np.asarray(queries, np.float64)).split(CHUNK)
    best = [torch.empty(len(part), 0, dtype=torch.int64) for part in parts]
    for start in range(0, len(gallery), BLOCK):
        rows = torch.from_numpy(np.asarray(project(gallery[start : start + BLOCK]), np.float64))
        if not rows.sum().isfinite():
            raise DataError(f'features {start} to {start + len(rows) - 1} are not all finite')
        places = torch.arange(start, start + len(rows))
        for i, part in enumerate(parts):
            keys = (part @ rows.T * STEPS).round().long() * PLACES - places
            joined = torch.cat([best[i], keys], dim=1)
            best[i] = joined.topk(min(k, joined.shape[1])).values
    keys = torch.cat(best)
    positions = -keys % PLACES
    return ((keys + positions) // PLACES).double().div(STEPS).numpy(), positions.numpy()


def below_all(counts: Sequence[int], size: int) -> list[int]:
    """Select the numbers of neighbors below the gallery's size, and always the smallest.

    Where all of the gallery is a neighbor, the features do not matter.
    """
    return [count for count in counts if count < size or count == min(counts)]


def nearest_samples(train: Features, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find training samples near queries ``(Q, D)`` by cosine similarity, see :func:`nearest`."""
    return nearest(normalize(queries), train.values, k, normalize)


def vote(
    similarity: np.ndarray, labels: np.ndarray, num_classes: int, temperature: float
) -> np.ndarray:
    """Score each class by the votes ``exp(similarity / temperature)`` of a query's neighbors.

    Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR
    2018.

    Args:
        similarity, labels: Those of the neighbors, nearest first, ``(Q, k)``.
        temperature: Above 0.

    Returns:
        float64 ``(Q, num_classes)``.
    """
    # Relative to the nearest: equal up to a factor, and no overflow at a small temperature.
    votes = np.exp((similarity - similarity[:, :1]) / temperature)  # (Q, k)
    scores = np.zeros((len(labels), num_classes))
    np.add.at(scores, (np.arange(len(labels))[:, None], labels), votes)
    return scores
