"""Linear discriminant analysis against the formulas, and with few labels."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import lda
from mmact_ssl.evaluation.protocols.lda import fit_lda
from tests.test_evaluation.test_protocols import test_fewshot


def blobs(sizes: tuple[int, ...], seed: int, channels: int = 6) -> Features:
    """Classes around different places, with channels that depend on each other."""
    return test_fewshot.blobs(sizes, seed, channels, distance=4)


def slow_scores(train, queries, pooled=False):
    values = train.values.astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    values, queries = (values - mean) / deviation, (queries.astype(np.float64) - mean) / deviation
    counts = np.bincount(train.labels)
    centers, covariance, residuals = [], 0, []
    for label, count in enumerate(counts):
        own = values[train.labels == label]
        centers.append(own.mean(axis=0))
        residuals.extend(own - centers[-1])
        if pooled:
            continue
        spread = own.std(axis=0)
        shrunken = ledoit_wolf((own - centers[-1]) / spread)[0] * np.outer(spread, spread)
        covariance = covariance + count / counts.sum() * shrunken
    if pooled:
        spread = np.std(residuals, axis=0)
        covariance = ledoit_wolf(residuals / spread)[0] * np.outer(spread, spread)
    inverse = np.linalg.inv(covariance)
    return np.stack(
        [
            queries @ inverse @ c - 0.5 * c @ inverse @ c + np.log(count / counts.sum())
            for c, count in zip(centers, counts)
        ],
        axis=1,
    )


@pytest.mark.parametrize(('sizes', 'pooled'), [((9, 14, 20), False), ((2, 2, 2), True)])
def test_against_the_formulas(sizes, pooled):
    train, test = blobs(sizes, 0), blobs((30, 30, 30), 1)
    scores = fit_lda(train).decision_function(test.values.astype(np.float64))
    expected = slow_scores(train, test.values, pooled)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize('classes', [2, 4])
def test_the_reported_accuracy_is_that_of_the_largest_score(make_inputs, classes):
    train, test = blobs((12,) * classes, 0), blobs((25,) * classes, 1)
    found = lda.evaluate(make_inputs(train, test, classes))
    predicted = slow_scores(train, test.values).argmax(axis=1)
    assert found.metrics['top1'] == (predicted == test.labels).mean()
    assert 1 / classes < found.metrics['top1'] < 1, (
        'the case should be neither trivial nor hopeless'
    )
    assert np.sum(found.details['confusion']) == 25 * classes


def test_a_class_without_a_label_is_never_found(make_inputs):
    train, test = blobs((9, 9, 9), 0), blobs((5, 5, 5), 1)
    labeled = train.part(np.flatnonzero(train.labels != 1))
    confusion = np.array(lda.evaluate(make_inputs(labeled, test, 3)).details['confusion'])
    assert confusion[:, 1].sum() == 0
    assert confusion[[0, 2]].diagonal(0).sum() > 0


def test_more_channels_than_clips_and_a_class_of_one(make_inputs):
    train, test = blobs((1, 6, 6), 0, channels=20), blobs((20, 20, 20), 1, channels=20)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = lda.evaluate(make_inputs(train, test, 3))
    assert found.metrics['top1'] > 0.4


@pytest.mark.parametrize(
    'sizes', [(2,) * 10, (2,) * 5 + (1,) * 5, (3,) + (2,) * 9, (6,) * 5 + (2,) * 5, (3,) * 10]
)
def test_few_clips_of_classes_that_lie_apart(make_inputs, sizes):
    train, test = blobs(sizes, 0, channels=200), blobs((20,) * 10, 1, channels=200)
    places = np.random.default_rng(2).normal(size=(10, 200))
    for part in (train, test):
        part.values[:] += 5 * places[part.labels]
    assert lda.evaluate(make_inputs(train, test, 10)).metrics['top1'] > 0.9


@pytest.mark.parametrize('sizes', [(1, 1, 1), (2, 1, 1)])
def test_too_few_labels_are_refused(sizes):
    with pytest.raises(ConfigError, match='take linear'):
        lda.check_labels(blobs(sizes, 0).labels)
