"""Nearest neighbors by cosine similarity, and their votes for classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.features import Features, normalize

# Numbers of queries and of gallery rows compared at a time.
CHUNK, BLOCK = 1024, 4096


def nearest(
    queries: np.ndarray,
    gallery: np.ndarray,
    k: int,
    project: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k most similar gallery rows of each query, in float64; ties in gallery order.

    Similarities that differ by less than the rounding of a product count as equal.

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
    # The best of each query so far, in gallery order.
    values = [part.new_empty(len(part), 0) for part in parts]
    positions = [torch.empty(len(part), 0, dtype=torch.int64) for part in parts]
    for start in range(0, len(gallery), BLOCK):
        rows = torch.from_numpy(np.asarray(project(gallery[start : start + BLOCK]), np.float64))
        if not rows.sum().isfinite():
            raise DataError(f'features {start} to {start + len(rows) - 1} are not all finite')
        new = torch.arange(start, start + len(rows))
        for i, part in enumerate(parts):
            joined = torch.cat([values[i], torch.mm(part, rows.T)], dim=1)
            known = torch.cat([positions[i], new.expand(len(part), -1)], dim=1)
            best = _largest(joined, k, slack=(4 * part.shape[1] + 32) * torch.finfo(part.dtype).eps)
            values[i], positions[i] = joined.gather(1, best), known.gather(1, best)
    neighbors = torch.cat(positions).numpy()
    similarity = _similarities(queries, gallery, project, neighbors)
    order = np.argsort(-similarity, axis=1, kind='stable')
    return np.take_along_axis(similarity, order, 1), np.take_along_axis(neighbors, order, 1)


def _largest(values: torch.Tensor, k: int, slack: float) -> torch.Tensor:
    """Columns of the k largest values of each row, ascending; ties go to the first columns.

    Values that differ by ``slack`` or less are ties: in a product of matrices the values of equal
    rows differ in their last bits.
    """
    if values.shape[1] <= k:
        return torch.arange(values.shape[1]).expand(len(values), -1)
    best, columns = values.topk(k + 1)
    columns, last = columns[:, :k], best[:, k - 1 : k]
    crowded = (last - best[:, k:] <= slack)[:, 0]
    if crowded.any():
        some, last = values[crowded], last[crowded]
        above, equal = some > last + slack, (some - last).abs() <= slack
        later = equal.cumsum(1) > k - above.sum(1, keepdim=True)
        columns[crowded] = some.masked_fill(equal & later, -torch.inf).topk(k).indices
    return columns.sort(dim=1).values


def _similarities(
    queries: np.ndarray,
    gallery: np.ndarray,
    project: Callable[[np.ndarray], np.ndarray],
    positions: np.ndarray,
) -> np.ndarray:
    """Similarities of the rows at ``positions`` ``(Q, k)``, identical for equal rows."""
    similarity = np.empty(positions.shape)
    for place, position in enumerate(positions.T):
        for start in range(0, len(queries), CHUNK):
            part = slice(start, start + CHUNK)
            rows = project(gallery[position[part]])
            similarity[part, place] = np.einsum('nd,nd->n', queries[part], rows, dtype=np.float64)
    return similarity


def below_all(counts: Sequence[int], size: int) -> list[int]:
    """Select the numbers of neighbors below the gallery's size, and always the smallest.

    Where all of the gallery is a neighbor, the features do not matter.
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
