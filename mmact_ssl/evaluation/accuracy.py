"""Accuracy and confusion matrix of classifiers, the same for every protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from mmact_ssl.errors import TrainingError


def accuracy_metrics(
    labels: np.ndarray, scores: np.ndarray, num_classes: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """Compare scores ``(N, num_classes)`` with the true labels, int ``(N,)``.

    Of equal scores the first class is taken.

    Returns:
        Metrics in 0..1: ``top1``, ``top5`` where there are more than 5 classes, ``mean_class``; and
        details: ``confusion``, counts, a row per true class, a column per predicted one.

    Raises:
        TrainingError: A score is NaN.
    """
    if np.isnan(scores).any():
        raise TrainingError(
            'the classifier has diverged, its scores are NaN: train it again with a lower learning '
            'rate'
        )
    ranked = np.argsort(-scores, axis=1, kind='stable')  # classes, the best first
    confusion = confusion_matrix(labels, ranked[:, 0], labels=np.arange(num_classes))
    metrics = {'top1': float(np.diag(confusion).sum() / confusion.sum())}
    if num_classes > 5:
        metrics['top5'] = float((ranked[:, :5] == labels[:, None]).any(axis=1).mean())
    metrics['mean_class'] = mean_class_accuracy(confusion)
    return metrics, {'confusion': confusion.tolist()}


def mean_class_accuracy(confusion: np.ndarray) -> float:
    """Average the accuracy over the classes that have samples.

    mmaction2's own function also averages over classes that are only predicted, as zeros.
    """
    total = confusion.sum(axis=1)
    accuracy = np.where(total > 0, np.diag(confusion) / np.maximum(total, 1), np.nan)
    return float(np.nanmean(accuracy))
