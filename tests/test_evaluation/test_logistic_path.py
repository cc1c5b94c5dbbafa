"""Logistic regression under several penalties: scikit-learn's minimum, in fewer steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from mmact_ssl.evaluation import logistic_path
from mmact_ssl.evaluation.logistic_path import fit_path

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
    """Objective of scikit-learn, divided by the number of samples."""
    square = (model.coef_**2).sum()
    loss = log_loss(labels, model.predict_proba(values.astype(np.float64)), labels=model.classes_)
    return float(loss + square / (2 * penalty * len(labels)))


def excess(
    found: LogisticRegression, best: LogisticRegression, values: np.ndarray, labels: np.ndarray
) -> float:
    """Share by which a fit's objective is above the best one's."""
    bound = objective(best, values, labels, best.C)
    return objective(found, values, labels, best.C) / bound - 1


def converge(values: np.ndarray, labels: np.ndarray, penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, tol=1e-9, max_iter=20000).fit(values, labels)


@settings(max_examples=15, derandomize=True)
@given(
    samples=st.integers(20, 80),
    channels=st.integers(3, 60),
    classes=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_each_fit_of_a_path_is_at_the_minimum(samples, channels, classes, seed):
    values, labels = draw(samples, channels, classes, seed)
    for penalty, found in zip(PENALTIES, fit_path(values, labels, PENALTIES)):
        best = converge(values, labels, penalty)
        assert found.coef_.shape == best.coef_.shape
        assert excess(found, best, values, labels) < 2e-3


@pytest.mark.parametrize('classes', [2, 10])
def test_weak_penalties_of_separable_classes(classes):
    """The loss is nearly 0 there, and a step that gains little of 1 nat gains much of it."""
    values, labels = draw(200, 256, classes, 0)
    penalties = (0.01, 10.0, 1000.0)
    for penalty, found in zip(penalties, fit_path(values, labels, penalties)):
        best = converge(values, labels, penalty)
        assert found.coef_ == pytest.approx(best.coef_, abs=0.05 * np.abs(best.coef_).max())
        assert excess(found, best, values, labels) < 1e-3


@pytest.mark.parametrize('classes', [2, 4])
def test_coefficients_and_probabilities_are_scikit_learns(classes):
    values, labels = draw(60, 10, classes, 0)
    best = converge(values, labels + 5, 0.1)
    (found,) = fit_path(values, labels + 5, [0.1])
    assert found.classes_.tolist() == list(range(5, 5 + classes))
    assert found.coef_ == pytest.approx(best.coef_, abs=0.01)
    assert found.intercept_ == pytest.approx(best.intercept_, abs=0.01)
    assert found.predict_proba(values) == pytest.approx(best.predict_proba(values), abs=0.01)


def test_many_classes_are_fitted_to_the_minimum():
    """Single gradients are small where a class has few samples, and do not tell the minimum."""
    values, labels = draw(800, 128, 100, 0)
    best = LogisticRegression(C=10.0, tol=1e-6, max_iter=20000).fit(values, labels)
    (found,) = fit_path(values, labels, [10.0])
    assert excess(found, best, values, labels) < 5e-4


def test_features_that_determine_each_other_are_fitted():
    """As of collapsed features in single precision, whose curvature may be negative by rounding."""
    values, labels = draw(200, 3, 3, 0)
    values = np.repeat(values, 40, axis=1) * (1 + 1e-7 * np.arange(120))
    best = converge(values, labels, 10.0)
    (found,) = fit_path(values, labels, [10.0])
    assert excess(found, best, values, labels) < 1e-3


def test_certain_samples_are_fitted():
    """All probabilities are 0 or 1 in single precision, at the end of a path of weak penalties."""
    labels = np.arange(3000) % 3
    values = (10 * np.eye(3, 8)[labels]).astype(np.float32)
    for model in fit_path(values, labels, (1.0, 1e6, 1e12)):
        assert np.isfinite(model.coef_).all()
        assert model.score(values, labels) == 1


def test_a_fit_that_does_not_converge_is_named(monkeypatch):
    said = []
    monkeypatch.setattr(logistic_path, 'print_log', lambda text, *args: said.append(text))
    values, labels = draw(60, 10, 3, 0)
    list(fit_path(values, labels, [1.0]))
    assert said == []
    list(fit_path(values, labels, [1.0], max_iter=2))
    assert said == ['logistic regression, C=1: not converged after max_iter=2']
