"""Classification with few labels a class: three readouts, averaged over draws of the labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage

from mmact_ssl.datasets.label_subset import draw_labels
from mmact_ssl.engine.terminal import log_once
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import sample_groups, share_labels
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.logistic_path import fit_path, sample_basis
from mmact_ssl.evaluation.protocols.base import Measured, ProtocolInput


def evaluate(
    inputs: ProtocolInput,
    group_pattern: str | None = None,
    group_file: str | None = None,
    labels: Sequence[int] = (1, 2, 5, 10),
    draws: int = 20,
) -> Measured:
    """Classify the test split by each of :data:`READOUTS`, with a few labels of every class.

    The mean of the training split is subtracted from the features, and they are scaled to unit
    length: test clips take no part in it, and each is classified alone. Draw i has the seed i, so
    that all encoders get the same labels, see :func:`paired_interval`.

    Args:
        group_pattern, group_file: Those of :func:`sample_groups`; the labels of a class come from
            different groups where it has enough.
        labels: Numbers of labels a class. A class with fewer clips gives all that it has. The first
            number that no class exceeds takes all labels, in one draw; larger ones are left out.
        draws: Number of draws, at least 2.

    Returns:
        Top-1 accuracy as ``READOUT@LABELS``, mean over the draws, and that of a uniform guess,
        ``chance``. Details: ``draws``, the values of the draws by metric; ``drawn``, a hash of
        the drawn samples. ``lda`` needs two labels of a class.

    Raises:
        ConfigError: A number is below 1 (``draws``: below 2).
    """
    if draws < 2 or not labels or min(labels) < 1:
        raise ConfigError(
            f'fewshot: labels={tuple(labels)}, draws={draws}: give positive numbers of labels, '
            'and two draws or more'
        )
    split, train, test = inputs.train, inputs.features('train'), inputs.features('test')
    groups = sample_groups(split.names, group_pattern, group_file)
    pattern = inputs.cfg.get('shared_label_pattern')
    center = train.values.mean(axis=0, dtype=np.float64)
    values, queries = (normalize(part.values, center) for part in (train, test))
    right: dict[str, list[np.ndarray]] = defaultdict(list)
    drawn = hashlib.sha256()
    for count, repeats in _plan(np.bincount(split.labels), labels, draws):
        for seed in range(repeats):
            chosen = draw_labels(split.names, split.labels, count, seed, groups)
            chosen = share_labels(split, chosen, pattern)
            drawn.update(''.join(split.lines(chosen)).encode())
            for name, readout in READOUTS.items():
                if name == 'lda' and len(chosen) == len(inputs.classes):
                    continue
                scores = readout(values[chosen], split.labels[chosen], queries)
                right[f'{name}@{count}'].append(scores.argmax(axis=1) == test.labels)
    top1 = {name: np.mean(answers, axis=1).tolist() for name, answers in right.items()}
    metrics = {'chance': 1 / len(inputs.classes)}
    metrics |= {name: float(np.mean(values)) for name, values in top1.items()}
    details, stacked = dict(draws=top1, drawn=drawn.hexdigest()), map(np.stack, right.values())
    return Measured(metrics, details, dict(zip(right, stacked)))


def _plan(sizes: np.ndarray, labels: Sequence[int], draws: int) -> Iterator[tuple[int, int]]:
    """Yield the numbers of labels a class and of draws, and log what the data cannot give."""
    for count in sorted(set(labels)):
        if count >= sizes.max():
            log_once(
                f'fewshot: no class has more than {sizes.max()} labeled training clips: @{count} '
                'takes all labels, in one draw, which has no interval; larger numbers are left out'
            )
            yield count, 1
            return
        if few := int((sizes < count).sum()):
            log_once(
                f'fewshot: {few} of {len(sizes)} classes have fewer than {count} labeled '
                'training clips and give all that they have'
            )
        yield count, draws


def nearest_mean(values: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Score by the Euclidean distance to the means of the classes.

    CL2N of SimpleShot, arXiv 1911.04623, on centered features of unit length.

    Args:
        values: Labeled features, float64 ``(N, D)``.
        labels: Classes from 0, each with a sample, int ``(N,)``.
        queries: Features ``(Q, D)``.

    Returns:
        Scores ``(Q, K)``, up to a constant of each query.
    """
    means = _class_means(values, labels)
    return queries @ means.T - np.square(means).sum(axis=1) / 2


def discriminant(values: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Score by linear discriminant analysis with equal priors; arguments of :func:`nearest_mean`.

    The covariance around the means of the classes is shrunken toward a multiple of the identity
    (Ledoit and Wolf 2004). The protocol ``lda`` shrinks toward the diagonal, which takes a minute
    a fit with thousands of channels. Toward the identity the fit needs only the directions of the
    samples: all others have the same variance, and the means do not differ in them.
    """
    means = _class_means(values, labels)
    around = values - means[labels]  # (N, D)
    shrinkage = ledoit_wolf_shrinkage(around, assume_centered=True)
    variance = np.square(around).mean()
    basis = sample_basis(values)  # (D, R)
    around, means, queries = around @ basis, means @ basis, queries @ basis
    covariance = (1 - shrinkage) * around.T @ around / len(around)
    # Classes of equal samples have no covariance: then the nearest mean decides.
    covariance += max(shrinkage * variance, 1e-12) * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, means.T)  # (R, K)
    return queries @ weights - (means * weights.T).sum(axis=1) / 2


def logistic(values: np.ndarray, labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Score by logistic regression with the penalty :data:`INVERSE_STRENGTH`.

    Arguments are those of :func:`nearest_mean`.
    """
    basis = sample_basis(values)
    (model,) = fit_path(values @ basis, labels, [INVERSE_STRENGTH])
    scores = model.decision_function(queries @ basis)
    # For two classes there is one number, for the second against the first.
    return scores if scores.ndim == 2 else np.stack([-scores, scores], axis=1)


def _class_means(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Means of the classes, ``(K, D)``."""
    return np.stack([values[labels == label].mean(axis=0) for label in np.unique(labels)])


# C of the regression (our choice): with source videos or subjects of the training splits of JHMDB,
# UTD-MHAD and NW-UCLA left out, 1 to 100 differ by about a point.
INVERSE_STRENGTH = 10.0
# Channels from which logistic regression is better than LDA, see docs/start/few_labels.md.
WIDE = 1000
# (N, D), (N,), (Q, D) to scores (Q, K).
READOUTS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    'nearest-mean': nearest_mean,
    'lda': discriminant,
    'logistic': logistic,
}
