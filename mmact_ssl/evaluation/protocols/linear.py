"""Linear probe: logistic regression on frozen, standardized features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mmact_ssl.engine.terminal import log_once
from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.data import sample_groups
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.logistic_path import fit_path, sample_basis
from mmact_ssl.evaluation.protocols.base import Measured, ProtocolInput

# Candidates for the inverse strength of the L2 penalty (our choice): features are standardized, so
# one grid fits all encoders. Configs give theirs as `linear.penalties`.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def evaluate(
    inputs: ProtocolInput,
    group_pattern: str | None = None,
    group_file: str | None = None,
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    max_iter: int = 1000,
    one_standard_error: bool = False,
) -> Measured:
    """Fit the probe and test it; details: ``C`` and ``folds`` too.

    The settings are those of :func:`sample_groups` and :func:`fit_probe`.
    """
    groups = sample_groups(inputs.train.names, group_pattern, group_file)
    if groups is not None:
        groups = groups[inputs.labeled]
    settings = (penalties, folds, max_iter, one_standard_error, inputs.device)
    probe, inverse_strength, num_folds = fit_probe(inputs.features('train'), groups, *settings)
    test = inputs.features('test')
    scores = np.zeros((len(test.labels), len(inputs.classes)))
    scores[:, probe.classes_] = probe.predict_proba(test.values.astype(np.float64))
    metrics, details = accuracy_metrics(test.labels, scores, len(inputs.classes))
    right = {'linear': (scores.argmax(axis=1) == test.labels)[None]}
    return Measured(metrics, {**details, 'C': inverse_strength, 'folds': num_folds}, right)


def fit_probe(
    train: Features,
    groups: np.ndarray | None = None,
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    max_iter: int = 1000,
    one_standard_error: bool = False,
    device: str = 'cpu',
) -> tuple[Pipeline, float, int]:
    """Fit the probe, with the penalty chosen by cross-validation inside the training split.

    Folds are not shuffled: neighbors in an annotation file are often cut from one recording, and a
    shuffled fold would reward remembering it.

    Args:
        groups: ``(N,)``; samples of one group (a subject, a source video) stay together.
        penalties: Candidates for C, the inverse strength: the smallest is the strongest penalty.
        folds: Number of folds, limited by the smallest class and the number of groups.
        max_iter: Largest number of steps of L-BFGS.
        one_standard_error: Choose the strongest penalty whose mean accuracy over the folds is
            within one standard error of the best (Hastie et al., The Elements of Statistical
            Learning, 7.10), instead of the best: few folds make the best one a matter of chance.

    Returns:
        The fitted pipeline, the chosen inverse strength, and the number of folds that chose it: 0
        if there are not two folds, which gives the middle candidate.
    """
    sizes = np.unique(train.labels, return_counts=True)[1]
    splits = usable_folds(train.labels, groups, min(folds, int(sizes.min())))
    candidates = sorted(penalties)
    if len(splits) < 2:
        inverse_strength = float(candidates[len(candidates) // 2])
        log_once(
            f'linear probe: {len(train.labels)} samples cannot be split to choose the penalty, '
            f'C={inverse_strength:g} is taken'
        )
        splits = []
    else:
        scores = fold_scores(train.values, train.labels, splits, candidates, max_iter, device)
        mean = scores.mean(axis=0)
        best = int(mean.argmax())
        if one_standard_error:
            error = scores[:, best].std(ddof=1) / np.sqrt(len(scores))
            best = int(np.argmax(mean >= mean[best] - error))  # the strongest such
        inverse_strength = float(candidates[best])
    scaler = StandardScaler()
    # Fitted in double precision; single is enough for the fits, as in the folds.
    values = scaler.fit_transform(train.values.astype(np.float64)).astype(np.float32)
    # Each fit starts from that of the next stronger penalty, as in the folds.
    path = candidates[: candidates.index(inverse_strength) + 1]
    *_, model = fit_path(values, train.labels, path, max_iter, device)
    return make_pipeline(scaler, model), inverse_strength, len(splits)


def usable_folds(
    labels: np.ndarray, groups: np.ndarray | None, folds: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split samples for cross-validation, without useless folds.

    A fold tests only classes that it trains on: with few labels a class may lie in one fold. A
    fold without test samples, or with one class to train on, is left out; few groups of few
    classes can make such folds.

    Args:
        labels, groups: ``(N,)``; samples of one group stay in one fold.
        folds: Largest number of folds.

    Returns:
        Positions of the training and test samples of each fold; [] for fewer than two folds.
    """
    if groups is not None:
        folds = min(folds, len(np.unique(groups)))
    if folds < 2:
        return []
    splitter = StratifiedKFold(folds) if groups is None else StratifiedGroupKFold(folds)
    parts = [
        (train, test[np.isin(labels[test], labels[train])])
        for train, test in splitter.split(labels, labels, groups)
    ]
    splits = [
        (train, test) for train, test in parts if len(test) and len(np.unique(labels[train])) > 1
    ]
    if len(splits) < folds:
        log_once(f'linear probe: {len(splits)} of {folds} folds can be used to choose the penalty')
    return splits


def fold_scores(
    values: np.ndarray,
    labels: np.ndarray,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    penalties: Sequence[float],
    max_iter: int = 1000,
    device: str = 'cpu',
) -> np.ndarray:
    """Accuracy on each fold under each penalty, ``(folds, penalties)``, 0..1.

    Args:
        values, labels: Features ``(N, D)`` and classes ``(N,)``.
        splits: Positions of the training and test samples of each fold.
        penalties, max_iter, device: See :func:`fit_path`.
    """
    scores = np.zeros((len(splits), len(penalties)))
    for fold, (fitted, held_out) in enumerate(splits):
        scaler = StandardScaler()
        train = scaler.fit_transform(values[fitted].astype(np.float64)).astype(np.float32)
        test = scaler.transform(values[held_out])
        if train.shape[1] > len(train):
            basis = sample_basis(train)
            train, test = train @ basis, test @ basis
        path = fit_path(train, labels[fitted], penalties, max_iter, device)
        scores[fold] = [model.score(test, labels[held_out]) for model in path]
    return scores
