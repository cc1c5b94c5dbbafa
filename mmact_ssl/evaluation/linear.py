"""Linear probe: logistic regression on frozen, standardised features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import judge
from mmact_ssl.evaluation.features import Features

# Inverse strengths of the L2 penalty among which cross-validation chooses (our choice): features
# are standardised, so that one grid fits all encoders.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True)
class FittedProbe:
    """A fitted probe.

    Attributes:
        model: scikit-learn pipeline: standardisation, logistic regression.
        c: The chosen inverse strength of the L2 penalty.
        folds: Folds that chose it; 0 if a class was too small to choose.
    """

    model: Pipeline
    c: float
    folds: int


def fit_probe(
    train: Features,
    groups: np.ndarray | None = None,
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    max_iter: int = 1000,
) -> FittedProbe:
    """Fit the probe; the penalty is chosen by cross-validation inside the training split.

    Folds are runs of neighbouring samples in each class, not shuffled: neighbours in an annotation
    file are often cut from one recording, and a shuffled fold would reward remembering it.

    Args:
        train: Labelled features.
        groups: [N]; samples of one group never part (subjects, source videos). None: no groups.
        penalties: Candidates, inverse strengths.
        folds: At most; never more than the smallest class or than there are groups. A class of one
            sample cannot be split, then the middle candidate is taken.
        max_iter: Of L-BFGS.

    Raises:
        ConfigError: There is only one class.
    """
    sizes = np.unique(train.labels, return_counts=True)[1]
    if len(sizes) < 2:
        raise ConfigError('linear probe: the training split has one class, it needs two or more')
    folds = min(folds, int(sizes.min()))
    if groups is not None:
        folds = min(folds, len(np.unique(groups)))
    model = make_pipeline(StandardScaler(), LogisticRegression(solver='lbfgs', max_iter=max_iter))
    values = train.values.astype(np.float64)
    if folds < 2:
        c = float(sorted(penalties)[len(penalties) // 2])
        model.set_params(logisticregression__C=c).fit(values, train.labels)
        return FittedProbe(model, c, 0)
    splitter = StratifiedKFold(folds) if groups is None else StratifiedGroupKFold(folds)
    search = GridSearchCV(
        model, {'logisticregression__C': sorted(penalties)}, cv=splitter, scoring='accuracy'
    )
    search.fit(values, train.labels, groups=groups)
    return FittedProbe(
        search.best_estimator_, float(search.best_params_['logisticregression__C']), folds
    )


def evaluate_linear(
    train: Features,
    test: Features,
    num_classes: int,
    groups: np.ndarray | None = None,
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    max_iter: int = 1000,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Fit on the training split and judge on the test split.

    Args:
        train: Training features.
        test: Test features; never seen by the fit.
        num_classes: Number of classes.
        groups: As the rest, see :func:`fit_probe`.

    Returns:
        Metrics and details of :func:`mmact_ssl.evaluation.accuracy.judge`, and among the details
        ``C`` and ``folds``, see :class:`FittedProbe`.
    """
    probe = fit_probe(train, groups, penalties, folds, max_iter)
    probabilities = np.zeros((len(test.labels), num_classes))
    probabilities[:, probe.model.classes_] = probe.model.predict_proba(
        test.values.astype(np.float64)
    )
    metrics, details = judge(test.labels, probabilities, num_classes)
    return metrics, {**details, 'C': probe.c, 'folds': probe.folds}
