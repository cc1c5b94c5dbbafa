"""From features and a few labels to a probability of each class, and how often it is right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix

from mmact_ssl.evaluation.draws import CONFIDENCE
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.protocols.fewshot import READOUTS, WIDE

from .windows import Windows

FOLDS = 10
# Held-out labels below which neither accuracy nor span, and no temperature is fitted (our choice).
FEWEST, FEWEST_TO_CALIBRATE = 10, 30
SPAN, SPANS = 3, (1, 3, 5, 9)  # windows
GROWTH = 0.75  # chosen on recordings joined from UTD-MHAD, and right on those of JHMDB too
SAMPLE = 4096  # windows that give the principal components for clusters


@dataclass(frozen=True)
class Estimate:
    """Accuracy of a classifier, from labels of groups that others like it have not seen.

    The odds of its part above chance grow with the labels, to the power :data:`GROWTH`.

    Attributes:
        interval: Jeffreys' of 95 %, grown as well. Classifiers that share labels err together:
            left-out labels count for fewer (Nadeau and Bengio, 2003).
        groups: Number of groups with labels.
        confusion: int ``(K, K)``, rows: labels, but of classes in one fold; columns: predictions.
    """

    accuracy: float
    interval: tuple[float, float]
    groups: int
    confusion: np.ndarray


class HeldOut(NamedTuple):
    """Labeled windows, and what classifiers that have not seen their group say of them.

    Attributes:
        rows, folds: The windows, and the folds in which they were left out, int ``(n,)``.
        counts: Labels of their class in the training, int ``(n,)``.
        scores: Of the windows and their neighbors, ``(n, max(SPANS), K)``; NaN outside of a video.
    """

    rows: np.ndarray
    folds: np.ndarray
    counts: np.ndarray
    scores: np.ndarray

    def probabilities(self, span: int, temperature: float) -> np.ndarray:
        """Averages over neighbors, ``(n, K)``."""
        outside = (self.scores.shape[1] - span) // 2
        near = self.scores[:, outside : outside + span]
        return np.nanmean(softmax(near / temperature, axis=2), axis=1)


class Classifier:
    """The few-shot readout that fits the encoder, on centered features of unit length.

    All classes have the same prior: a user chooses what to label.

    Args:
        windows: All windows, whose mean is the center.
        given: Class of each window, see :meth:`Windows.give`; two classes or more.
        groups: Group of each window.
        num_classes: K.

    Attributes:
        span: Number of neighboring windows over which probabilities are averaged.
        temperature: Of the softmax. It and ``span`` have the least cross-entropy on labels of
            groups that were left out; with few labels they are :data:`SPAN` and 1.
        estimate: None if there are too few labels to tell.
    """

    def __init__(
        self, windows: Windows, given: np.ndarray, groups: np.ndarray, num_classes: int
    ) -> None:
        self.windows, self.given, self.groups = windows, given, groups
        self.num_classes = num_classes
        self.values = normalize(windows.features, windows.features.mean(axis=0, dtype=np.float64))
        counts = np.bincount(given[given >= 0], minlength=num_classes)
        is_lda = self.values.shape[1] < WIDE and counts.min() > 1
        self.readout = 'lda' if is_lda else 'logistic'
        self.span, self.temperature, self.estimate = SPAN, 1.0, None
        held_out = self._leave_out()
        labels = len(held_out.rows)
        self.is_calibrated = labels >= FEWEST_TO_CALIBRATE
        if labels >= FEWEST:
            self.span, self.temperature = self._calibrate(held_out, held_out.rows >= 0)
            self.estimate = self._estimate(held_out)

    def probabilities(self) -> np.ndarray:
        """Probability of each class, float64 ``(N, K)``, averaged over neighboring windows."""
        scores = self._scores(self.given >= 0, self.values)
        return self.windows.smooth(softmax(scores / self.temperature, axis=1), self.span)

    def _scores(self, is_train: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Scores ``(Q, K)`` of the readout; -inf for a class without labels."""
        present, labels, counts = np.unique(
            self.given[is_train], return_inverse=True, return_counts=True
        )
        scores = np.full((len(queries), self.num_classes), -np.inf)
        scores[:, present] = 0.0
        if len(present) > 1 and len(queries):
            found = READOUTS[self.readout](self.values[is_train], labels, queries)
            if self.readout == 'logistic':
                # Of two classes it returns the same logit twice, with both signs.
                found = found / (2 if len(present) == 2 else 1) - np.log(counts)
            scores[:, present] = found
        return scores

    def _leave_out(self) -> HeldOut:
        """Leave out groups by turns; labels of a class that no other group has are not counted."""
        is_labeled = self.given >= 0
        groups = np.unique(self.groups[is_labeled])
        parts: list[HeldOut] = []
        for number in range(FOLDS):
            is_left_out = np.isin(self.groups, groups[number::FOLDS])
            is_train = is_labeled & ~is_left_out
            counts = np.bincount(self.given[is_train], minlength=self.num_classes)
            rows = np.flatnonzero(is_labeled & is_left_out)
            rows = rows[counts[self.given[rows]] > 0]
            near = self.windows.near(rows, max(SPANS))
            scores = np.full((*near.shape, self.num_classes), np.nan)
            scores[near >= 0] = self._scores(is_train, self.values[near[near >= 0]])
            parts += [HeldOut(rows, np.full_like(rows, number), counts[self.given[rows]], scores)]
        return HeldOut(*(np.concatenate(column) for column in zip(*parts)))

    def _calibrate(self, held_out: HeldOut, is_used: np.ndarray) -> tuple[int, float]:
        """Choose the span, and with enough labels the temperature, for a part of the labels.

        The span is the largest whose cross-entropy is within a standard error of the least.
        """
        truth, found = self.given[held_out.rows][is_used], []

        def losses(logarithm: float, span: int) -> np.ndarray:
            values = held_out.probabilities(span, np.exp(logarithm))[is_used]
            return -np.log(np.maximum(values[np.arange(len(truth)), truth], 1e-4))

        for span in SPANS:
            logarithm = 0.0
            if self.is_calibrated:
                mean = partial(lambda value, span: losses(value, span).mean(), span=span)
                bounded = minimize_scalar(mean, bounds=(-5, 3), options=dict(xatol=0.01))
                logarithm = float(bounded.x)
            found.append((losses(logarithm, span), span, float(np.exp(logarithm))))
        best = min((of_span for of_span, *_ in found), key=np.mean)
        for of_span, span, temperature in found:
            if (of_span - best).mean() <= (of_span - best).std() / np.sqrt(len(truth)):
                chosen = span, temperature
        return chosen

    def _estimate(self, held_out: HeldOut) -> Estimate:
        """Estimate the accuracy; labels of other folds calibrate each prediction."""
        rows, folds = held_out.rows, np.unique(held_out.folds)
        predicted = np.zeros_like(rows)
        for fold in folds:
            is_own = held_out.folds == fold
            found = held_out.probabilities(*self._calibrate(held_out, ~is_own))
            predicted[is_own] = found[is_own].argmax(axis=1)
        truth = self.given[rows]
        seen = float((predicted == truth).mean())
        # Neighbors of one class are seldom right and wrong by turns: a run of them counts once.
        places = np.sort(rows + self.windows.video[rows] + 2 * len(self.given) * truth)
        number = (1 + (np.diff(places) > 1).sum()) / (1 + len(folds) / (len(folds) - 1))
        wins = seen * number + 0.5
        parts = np.array([seen, *stats.beta.interval(CONFIDENCE, wins, number + 1 - wins)])
        counts, chance = np.bincount(self.given[self.given >= 0]), 1 / self.num_classes
        more = float(counts[truth].sum() / held_out.counts.sum()) ** GROWTH
        above = np.maximum(parts - chance, 0) / (1 - chance)
        grown = np.minimum(parts, chance) + (1 - chance) * more * above / (1 + (more - 1) * above)
        accuracy, low, high = grown.tolist()
        confusion = confusion_matrix(truth, predicted, labels=[*range(self.num_classes)])
        groups = len(np.unique(self.groups[self.given >= 0]))
        return Estimate(accuracy, (min(low, accuracy), max(high, accuracy)), groups, confusion)


def choose_next(
    windows: Windows, is_candidate: np.ndarray, probabilities: np.ndarray, count: int
) -> np.ndarray:
    """Choose windows to label: uncertain, and unlike each other.

    Of the half whose two best classes are closest, k-means of the features makes clusters, and each
    gives the window nearest to its mean. In our tests this was better than the most uncertain
    windows alone, and than clusters of all windows.

    Returns ``count`` of the candidates, bool ``(N,)``, those of the largest cluster first. Without
    classes, ``probabilities`` ``(N, 0)``, all candidates make clusters.
    """
    rows = np.flatnonzero(is_candidate)
    if probabilities.shape[1]:
        best = np.sort(probabilities[rows], axis=1)[:, -2:]
        order = np.argsort(best[:, 1] - best[:, 0], kind='stable')
        rows = rows[order[: max(count, len(rows) // 2)]]
    if len(rows) <= count:
        return rows
    center = windows.features.mean(axis=0, dtype=np.float64)
    sample = normalize(windows.features[rows[:: 1 + len(rows) // SAMPLE]], center)
    basis = PCA(min(64, *sample.shape), random_state=0).fit(sample)
    blocks = np.array_split(rows, 1 + len(rows) // SAMPLE)
    values = np.concatenate(
        [basis.transform(normalize(windows.features[block], center)) for block in blocks]
    )
    found = KMeans(count, n_init=3, random_state=0).fit(values)
    nearest = found.transform(values).argmin(axis=0)  # row of each cluster
    sizes = np.bincount(found.labels_, minlength=count)
    return rows[nearest[np.argsort(-sizes, kind='stable')]]
