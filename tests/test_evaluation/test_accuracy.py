"""Accuracies against a loop, and classes without samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import TrainingError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.recognizer import recognition_metrics


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(1, 30), st.integers(0, 2**31))
def test_against_the_twin(num_classes, count, seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_classes, size=count)
    scores = generator.permuted(np.arange(count * num_classes)).reshape(count, num_classes)
    metrics, details = accuracy_metrics(labels, scores, num_classes)
    confusion = [[0] * num_classes for _ in range(num_classes)]
    hits = {1: 0, 5: 0}
    for label, row in zip(labels, scores):
        ranked = sorted(range(num_classes), key=lambda k: -row[k])
        confusion[label][ranked[0]] += 1
        for k in hits:
            hits[k] += label in ranked[:k]
    assert details['confusion'] == confusion
    assert metrics['top1'] == pytest.approx(hits[1] / count)
    assert ('top5' in metrics) == (num_classes > 5)
    assert metrics.get('top5', hits[5] / count) == pytest.approx(hits[5] / count)
    shares = [row[k] / sum(row) for k, row in enumerate(confusion) if sum(row)]
    assert metrics['mean_class'] == pytest.approx(sum(shares) / len(shares))


def test_equal_scores_rank_in_the_same_way_in_top1_and_top5():
    metrics, _ = accuracy_metrics(np.array([0, 4, 5, 7]), np.zeros((4, 8)), 8)
    assert (metrics['top1'], metrics['top5']) == (0.25, 0.5)


@pytest.mark.parametrize('num_classes', [3, 8])
def test_a_classifier_that_has_diverged_has_no_accuracy(num_classes):
    scores = np.zeros((2, num_classes))
    scores[1, 2] = np.nan
    with pytest.raises(TrainingError, match='the classifier has diverged'):
        accuracy_metrics(np.array([0, 1]), scores, num_classes)


def test_fine_tuning_has_the_mean_over_classes_of_the_other_protocols():
    """Where a class is predicted that the test split has not, mmaction2 counts it as a zero."""
    labels, scores = np.array([0, 0, 1, 1]), np.eye(3)[[0, 0, 1, 2]]
    matrix = torch.tensor([[2, 0, 0], [0, 1, 1], [0, 0, 0]])
    metrics, details = recognition_metrics(
        {'acc/top1': 0.75, 'acc/top5': 1.0, 'confusion_matrix/result': matrix}
    )
    judged, same = accuracy_metrics(labels, scores, 3)
    assert metrics['mean_class'] == judged['mean_class'] == pytest.approx(0.75)
    assert (metrics['top1'], details) == (judged['top1'], same)
    assert metrics.keys() == judged.keys(), 'of 3 classes, top-5 is no metric'
