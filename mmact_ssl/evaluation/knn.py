"""k nearest neighbors on frozen features: cosine similarity, votes weighted by temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import judge
from mmact_ssl.evaluation.features import Features, normalize


def nearest(
    queries: np.ndarray, gallery: np.ndarray, k: int, chunk: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k most similar gallery rows of each query; equal ones in gallery order.

    Args:
        queries: Unit rows [Q, D].
        gallery: Unit rows [G, D].
        k: Neighbors; at most G are found.
        chunk: Queries at a time.

    Returns:
        similarities float64 [Q, k], descending, and positions int64 [Q, k].
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
        queries: [Q, D].
        num_classes: Number of classes.
        k: Neighbors.
        temperature: Of the votes, > 0.
        center: Subtract the training mean before normalizing.

    Returns:
        float64 [Q, num_classes].

    Raises:
        ConfigError: ``k`` or ``temperature`` is not positive.
    """
    if k < 1 or temperature <= 0:
        raise ConfigError(f'kNN: k={k}, temperature={temperature}: both must be positive')
    mean = train.values.mean(axis=0, dtype=np.float64) if center else None
    similarity, position = nearest(normalize(queries, mean), normalize(train.values, mean), k)
    # Relative to the nearest: the same vote, and no overflow at a small temperature.
    votes = np.exp((similarity - similarity[:, :1]) / temperature)  # [Q, k]
    scores = np.zeros((len(queries), num_classes))
    rows = np.repeat(np.arange(len(queries)), votes.shape[1])
    np.add.at(scores, (rows, train.labels[position].ravel()), votes.ravel())
    return scores


def evaluate_knn(
    train: Features,
    test: Features,
    num_classes: int,
    k: Sequence[int] = (5, 10, 20),
    main_k: int = 10,
    temperature: float = 0.07,
    center: bool = False,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Classify the test split by its neighbors in the training split.

    Args:
        train: Training features.
        test: Test features.
        num_classes: Number of classes.
        k: All reported as ``top1@k=…``; fixed beforehand, not chosen on the test split.
        main_k: Which of them is reported as ``top1``.
        temperature: As in :func:`knn_scores`.
        center: As in :func:`knn_scores`.

    Returns:
        Accuracies in 0..1, and details: the ``confusion`` matrix for ``main_k``, see
        :func:`mmact_ssl.evaluation.accuracy.judge`.

    Raises:
        ConfigError: ``main_k`` is not among ``k``.
    """
    if main_k not in k:
        raise ConfigError(f'kNN: main_k={main_k} is not among k={tuple(k)}')
    metrics = {}
    for count in k:
        scores = knn_scores(train, test.values, num_classes, count, temperature, center)
        judged, matrix = judge(test.labels, scores, num_classes)
        metrics[f'top1@k={count}'] = judged['top1']
        if count == main_k:
            details = matrix
    return {'top1': metrics[f'top1@k={main_k}'], **metrics}, details
