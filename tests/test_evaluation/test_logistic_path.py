"""Logistic regression under several penalties: scikit-learn's minimum, in fewer steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mmact_ssl.evaluation.logistic_path import TOLERANCE, LogisticPath

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def draw(samples: int, channels: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardized correlated features, of which the last is dead and two are alike."""
    random = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    centers = 0.3 * random.normal(size=(classes, channels))
    mixture = random.normal(size=(channels, channels)) / np.arange(1, channels + 1)[:, None] ** 0.5
    values = np.maximum((centers[labels] + random.normal(size=(samples, channels))) @ mixture, 0)
    values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)
    values[:, -1] = 0
    values[:, 0] = values[:, 1]
    return values, labels


def objective(
    model: LogisticRegression, values: np.ndarray, labels: np.ndarray, penalty: float
) -> float:
    """What scikit-learn minimizes, a sample's share of it, by its plain formula."""
    values = values.astype(np.float64)
    likelihood = model.predict_proba(values)[np.arange(len(labels)), labels]
    square = (model.coef_**2).sum()
    return float(-np.log(likelihood).mean() + square / (2 * penalty * len(labels)))


@settings(max_examples=15, deadline=None)
@given(
    samples=st.integers(20, 80),
    channels=st.integers(3, 60),
    classes=st.integers(2, 6),
    kind=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_each_fit_of_a_path_is_at_the_minimum(samples, channels, classes, kind, seed):
    values, labels = draw(samples, channels, classes, seed)
    path = LogisticPath(values.astype(kind), labels)
    for penalty in PENALTIES:
        best = LogisticRegression(C=penalty, tol=1e-9, max_iter=20000).fit(values, labels)
        found = path.fit(penalty)
        assert found.coef_.shape == best.coef_.shape
        gap = objective(found, values, labels, penalty) - objective(best, values, labels, penalty)
        assert gap < 10 * TOLERANCE


def test_two_classes_are_scikit_learns_two():
    values, labels = draw(60, 10, 2, 0)
    best = LogisticRegression(C=0.1, tol=1e-9, max_iter=20000).fit(values, labels + 5)
    found = LogisticPath(values, labels + 5).fit(0.1)
    assert found.classes_.tolist() == [5, 6]
    assert found.coef_ == pytest.approx(best.coef_, abs=0.01)
    assert found.predict_proba(values) == pytest.approx(best.predict_proba(values), abs=0.01)


def test_many_classes_are_fitted_further_than_scikit_learn_goes():
    """Its tolerance is of single gradients, which are small where a class has few samples."""
    values, labels = draw(800, 128, 100, 0)
    penalty = 10.0
    stopped = LogisticRegression(C=penalty, max_iter=1000).fit(values, labels)
    best = LogisticRegression(C=penalty, tol=1e-6, max_iter=20000).fit(values, labels)
    found = LogisticPath(values.astype(np.float32), labels).fit(penalty)
    bound, early, own = (objective(one, values, labels, penalty) for one in (best, stopped, found))
    assert own - bound < 10 * TOLERANCE
    assert early - bound > 8 * (own - bound)
    assert found.n_iter_[0] < best.n_iter_[0] / 2


def test_the_way_to_a_penalty_does_not_matter():
    values, labels = draw(200, 30, 5, 1)
    path = LogisticPath(values, labels)
    for penalty in PENALTIES:
        last = path.fit(penalty)
    alone = LogisticPath(values, labels).fit(PENALTIES[-1])
    gap = objective(last, values, labels, 10.0) - objective(alone, values, labels, 10.0)
    assert abs(gap) < 10 * TOLERANCE
