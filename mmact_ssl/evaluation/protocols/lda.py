"""Linear discriminant analysis on frozen, standardized features: nothing to tune."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.features import Features

from .base import Measured, Task


def evaluate(task: Task) -> Measured:
    """Fit the classifier of :func:`fit_lda` and test it."""
    model, test = fit_lda(task.train_features), task.test_features
    found = model.decision_function(test.values.astype(np.float64))
    # Of two classes there is one number, for the second against the first.
    found = found if found.ndim == 2 else np.stack([-found, found], axis=1)
    # A class without a label comes last.
    scores = np.full((len(test.labels), task.num_classes), found.min() - 1)
    scores[:, model.classes_] = found
    return Measured(*accuracy_metrics(test.labels, scores, task.num_classes))


def fit_lda(train: Features) -> Pipeline:
    """Fit means and one covariance, the mean of those of the classes, each shrunken.

    How far a covariance is drawn toward its diagonal follows from its samples (Ledoit and Wolf, A
    well-conditioned estimator for large-dimensional covariance matrices, 2004; of each class
    standardized, as scikit-learn does it).

    Args:
        train: Labeled features.

    Raises:
        ConfigError: One class alone, or no class with two samples, which tell no covariance.
    """
    sizes = np.unique(train.labels, return_counts=True)[1]
    if len(sizes) < 2 or sizes.max() < 2:
        raise ConfigError(
            f'lda: {len(train.labels)} labeled clips of {len(sizes)} classes are too few; give '
            'two classes, one of them with two clips, or take linear'
        )
    model = make_pipeline(
        StandardScaler(), LinearDiscriminantAnalysis(solver='lsqr', shrinkage='auto')
    )
    with warnings.catch_warnings():
        # A class of one sample adds nothing to the covariance.
        warnings.filterwarnings('ignore', 'Only one sample available')
        return model.fit(train.values.astype(np.float64), train.labels)
