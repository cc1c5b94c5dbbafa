"""kNN against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.neighbors import nearest_samples, vote
from mmact_ssl.evaluation.protocols import knn


def random_features(count: int, classes: int, seed: int, channels: int = 6) -> Features:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, channels)).astype(np.float32)
    return Features(values, generator.integers(0, classes, size=count))


@pytest.mark.parametrize('k', [1, 5, 100])
def test_scores_are_scikit_learns(k):
    train = random_features(40, 4, seed=0)
    queries = random_features(17, 4, seed=1).values
    similarity, position = nearest_samples(train, queries, k)
    scores = vote(similarity, train.labels[position], 4, temperature=0.07)
    scores = scores / scores.sum(axis=1, keepdims=True)
    slow = KNeighborsClassifier(
        min(k, 40), weights=lambda d: np.exp((1 - d) / 0.07), metric='cosine'
    )
    slow.fit(train.values.astype(np.float64), train.labels)
    expected = slow.predict_proba(queries.astype(np.float64))
    np.testing.assert_allclose(scores, expected, rtol=1e-8, atol=1e-12)


def test_a_small_temperature_does_not_overflow():
    similarity = np.array([[1.0, 0.5, -1.0]])
    assert np.isfinite(vote(similarity, np.array([[0, 1, 1]]), 2, temperature=1e-4)).all()


def test_the_confusion_matrix_is_that_of_the_main_k(make_inputs):
    train = Features(
        np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 1]], np.float32), np.array([0, 1, 1, 0])
    )
    query = Features(np.array([[1.0, 0.0]], np.float32), np.array([0]))
    for main_k, top1, confusion in ((1, 1.0, [[1, 0], [0, 0]]), (3, 0.0, [[0, 1], [0, 0]])):
        inputs = make_inputs(train, query, 2)
        found = knn.evaluate(inputs, k=(1, 3), main_k=main_k, temperature=10)
        assert (found.metrics['top1'], found.details['confusion']) == (top1, confusion)


def test_neighbors_that_are_all_of_the_training_samples_are_left_out(make_inputs):
    for count, k in ((21, (5, 10, 20)), (20, (5, 10)), (10, (5,)), (4, (5,))):
        train = random_features(count, 2, seed=0)
        metrics = knn.evaluate(make_inputs(train, random_features(9, 2, seed=1), 2)).metrics
        assert metrics.keys() == {'top1', *(f'top1@k={each}' for each in k)}
        assert metrics['top1'] == metrics[f'top1@k={min(10, max(k))}']


@pytest.mark.parametrize(
    'wrong', [dict(k=(5,), main_k=3), dict(k=(0,), main_k=0), dict(k=5, main_k=5)]
)
def test_wrong_settings_are_refused(make_inputs, wrong):
    train = random_features(10, 2, seed=0)
    with pytest.raises(ConfigError, match=f'main_k={wrong["main_k"]}'):
        knn.evaluate(make_inputs(train, train, 2), **wrong)
