"""Linear discriminant analysis on frozen, standardized features, without anything to tune."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols.base import Measured, ProtocolInput


def evaluate(inputs: ProtocolInput) -> Measured:
    """Fit the classifier of :func:`fit_lda` and test it."""
    model, test = fit_lda(inputs.features('train')), inputs.features('test')
    decision = model.decision_function(test.values.astype(np.float64))
    # For two classes there is one number, for the second against the first.
    decision = decision if decision.ndim == 2 else np.stack([-decision, decision], axis=1)
    # A class without a label gets the lowest score.
    scores = np.full((len(test.labels), len(inputs.classes)), decision.min() - 1)
    scores[:, model.classes_] = decision
    return Measured(*accuracy_metrics(test.labels, scores, len(inputs.classes)))


def fit_lda(train: Features) -> Pipeline:
    """Fit class means and one covariance, the mean of the classes' shrunken covariances.

    The samples of a class determine the shrinkage toward the diagonal (Ledoit and Wolf, A
    well-conditioned estimator for large-dimensional covariance matrices, 2004; on standardized
    classes, as in scikit-learn). If no class has three samples, there is one covariance of all
    samples around the means of their classes.

    Args:
        train: Labeled features, ``(N, D)``, with labels that pass :func:`check_labels`.
    """
    classes, places, sizes = np.unique(train.labels, return_inverse=True, return_counts=True)
    scaler = StandardScaler()
    values = scaler.fit_transform(train.values.astype(np.float64))
    model = LinearDiscriminantAnalysis(solver='lsqr', shrinkage='auto')
    if sizes.max() < 3:
        # Two samples deviate equally from their mean: their covariance has rank one and is not
        # shrunken at all. A single class with three samples would prevent this.
        means = np.stack([values[places == place].mean(axis=0) for place in range(len(classes))])
        around = (values - means[places])[sizes[places] > 1]
        model.set_params(shrinkage=None, covariance_estimator=_same_for_all(around))
    with warnings.catch_warnings():
        # A class of one sample adds nothing to the covariance.
        warnings.filterwarnings('ignore', 'Only one sample available')
        return make_pipeline(scaler, model.fit(values, train.labels))


def check_labels(labels: np.ndarray) -> None:
    """Check that there are enough labels for a covariance.

    Raises:
        ConfigError: No class has three samples, and fewer than two have two.
    """
    _, sizes = np.unique(labels, return_counts=True)
    if sizes.max() < 3 and np.sum(sizes == 2) < 2:
        raise ConfigError(
            f'lda: {len(labels)} labeled clips of {len(sizes)} classes are too few for its '
            'covariance: take a larger --label-fraction, or leave lda out and take linear'
        )


def _same_for_all(around: np.ndarray) -> SimpleNamespace:
    """Estimator that returns the shrunken covariance of ``around`` for every class."""
    scaler = StandardScaler()
    shrunken = ledoit_wolf(scaler.fit_transform(around))[0]
    covariance = shrunken * np.outer(scaler.scale_, scaler.scale_)
    return SimpleNamespace(fit=lambda values: None, covariance_=covariance)
