"""Linear probe: logistic regression on frozen, standardized features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.logging import print_log
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.accuracy import judge
from mmact_ssl.evaluation.features import Features

# Inverse strengths of the L2 penalty among which cross-validation chooses (our choice): features
# are standardized, so that one grid fits all encoders.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True)
class FittedProbe:
    """A fitted probe.

    Attributes:
        model: Scikit-learn pipeline: standardization, logistic regression.
        c: The chosen inverse strength of the L2 penalty.
        folds: Folds that chose it; 0 if nothing could choose.
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

    Folds are runs of neighboring samples in each class, not shuffled: neighbors in an annotation
    file are often cut from one recording, and a shuffled fold would reward remembering it.

    Args:
        train: Labeled features.
        groups: [N]; samples of one group never part (subjects, source videos). None: no groups.
        penalties: Candidates, inverse strengths.
        folds: At most; never more than the smallest class or than there are groups. Those that
            groups leave without a sample to judge, or with one class to train on, are left out. A
            class of one sample cannot be split. Where no fold is left the middle candidate is
            taken.
        max_iter: Of L-BFGS.

    Raises:
        ConfigError: There is only one class.
    """
    sizes = np.unique(train.labels, return_counts=True)[1]
    if len(sizes) < 2:
        raise ConfigError('linear probe: the training split has one class, it needs two or more')
    splits = usable_folds(train.labels, groups, min(folds, int(sizes.min())))
    model = make_pipeline(StandardScaler(), LogisticRegression(solver='lbfgs', max_iter=max_iter))
    values = train.values.astype(np.float64)
    if not splits:
        c = float(sorted(penalties)[len(penalties) // 2])
        print_log(
            f'linear probe: {len(train.labels)} samples cannot be split to choose the penalty, '
            f'C={c:g} is taken',
            logger='current',
        )
        model.set_params(logisticregression__C=c).fit(values, train.labels)
        return FittedProbe(model, c, 0)
    search = GridSearchCV(
        model,
        {'logisticregression__C': sorted(penalties)},
        cv=splits,
        scoring='accuracy',
        # Otherwise a fold that fails has the score nan, and with it every candidate.
        error_score='raise',
    )
    search.fit(values, train.labels)
    return FittedProbe(
        search.best_estimator_, float(search.best_params_['logisticregression__C']), len(splits)
    )


def usable_folds(
    labels: np.ndarray, groups: np.ndarray | None, folds: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split samples for cross-validation, without the folds that cannot choose anything.

    Few groups that hold few classes each may leave a fold without a sample to judge, or with all
    samples but those of one class in it.

    Args:
        labels: int [N].
        groups: [N], or None.
        folds: At most.

    Returns:
        Positions to train on and to judge, of each fold; none for less than two.
    """
    if groups is not None:
        folds = min(folds, len(np.unique(groups)))
    if folds < 2:
        return []
    splitter = StratifiedKFold(folds) if groups is None else StratifiedGroupKFold(folds)
    splits = [
        (train, judged)
        for train, judged in splitter.split(labels, labels, groups)
        if len(judged) and len(np.unique(labels[train])) > 1
    ]
    if len(splits) < folds:
        print_log(
            f'linear probe: {len(splits)} of {folds} folds can be used to choose the penalty',
            logger='current',
        )
    return splits


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
