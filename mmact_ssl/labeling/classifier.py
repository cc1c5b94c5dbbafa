"""From features and a few labels to a probability of each class, and how often it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import minimize_scalar
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix

from mmact_ssl.evaluation.draws import CONFIDENCE
from mmact_ssl.evaluation.protocols.fewshot import READOUTS, WIDE
from mmact_ssl.labeling.windows import Windows

FOLDS = 10
# Held-out labels below which neither accuracy nor span, and no temperature is fitted (our choice).
FEWEST, FEWEST_TO_CALIBRATE = 10, 30
SPAN, SPANS = 3, (1, 3, 5, 9)  # windows
GROWTH = 0.75  # chosen on recordings joined from UTD-MHAD, and right on those of JHMDB too
SAMPLE = 4096  # windows that give principal components, or are averaged at a time


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
        counts = np.bincount(given[given >= 0], minlength=num_classes)
        is_lda = windows.values.shape[1] < WIDE and counts.min() > 1
        self.readout = 'lda' if is_lda else 'logistic'
        self.span, self.temperature, self.estimate = SPAN, 1.0, None
        rows, folds, seen, scores = self._leave_out()
        self.is_calibrated = len(rows) >= FEWEST_TO_CALIBRATE
        if len(rows) >= FEWEST:
            self.span, self.temperature = self._calibrate(scores, rows)
            self.estimate = self._estimate(scores, rows, folds, seen)

    def probabilities(self) -> np.ndarray:
        """Probability of each class, float64 ``(N, K)``, averaged over neighboring windows."""
        scores = self._scores(np.flatnonzero(self.given >= 0), self.windows.values)
        blocks = np.array_split(np.arange(len(scores)), 1 + len(scores) // SAMPLE)
        how = self.span, self.temperature
        return np.concatenate([self.windows.smooth(scores, block, *how) for block in blocks])

    def _scores(self, rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Scores ``(Q, K)`` of the readout of labeled windows; -inf for a class without any."""
        present, labels, counts = np.unique(
            self.given[rows], return_inverse=True, return_counts=True
        )
        scores = np.full((len(queries), self.num_classes), -np.inf)
        scores[:, present] = 0.0
        if len(present) > 1:
            found = READOUTS[self.readout](self.windows.values[rows], labels, queries)
            if self.readout == 'logistic':
                # Of two classes it returns the same logit twice, with both signs.
                found = found / (2 if len(present) == 2 else 1) - np.log(counts)
            scores[:, present] = found
        return scores

    def _leave_out(self) -> tuple[np.ndarray, ...]:
        """Leave out groups by turns, for classifiers that have not seen them.

        Returns:
            Windows with a label that another group has too, int ``(n,)``; the fold in which each
            was left out; the number of labels of its class in the training; and scores of all
            windows of their groups, ``(N, K)``.
        """
        rows = np.flatnonzero(self.given >= 0)
        folds = np.unique(self.groups[rows], return_inverse=True)[1].reshape(-1) % FOLDS
        seen, scores = np.zeros_like(rows), np.zeros((len(self.given), self.num_classes))
        for fold in np.unique(folds):
            own, others = rows[folds == fold], rows[folds != fold]
            counts = np.bincount(self.given[others], minlength=self.num_classes)
            seen[folds == fold] = counts[self.given[own]]
            is_left_out = np.isin(self.groups, self.groups[own])
            scores[is_left_out] = self._scores(others, self.windows.values[is_left_out])
        return rows[seen > 0], folds[seen > 0], seen[seen > 0], scores

    def _calibrate(self, scores: np.ndarray, rows: np.ndarray) -> tuple[int, float]:
        """Choose the span, and with enough labels the temperature, for some labeled windows.

        The span is the largest whose cross-entropy is within a standard error of the least.
        """
        truth, found = self.given[rows], []

        def losses(logarithm: float, span: int) -> np.ndarray:
            values = self.windows.smooth(scores, rows, span, np.exp(logarithm))
            return -np.log(np.maximum(values[np.arange(len(rows)), truth], 1e-4))

        for span in SPANS:
            logarithm = 0.0
            if self.is_calibrated:
                options = dict(args=(span,), bounds=(-5, 3), options=dict(xatol=0.01))
                logarithm = minimize_scalar(lambda *point: losses(*point).mean(), **options).x
            found.append((losses(logarithm, span), span, float(np.exp(logarithm))))
        best = min((of_span for of_span, *_ in found), key=np.mean)
        return [
            (span, temperature)
            for of_span, span, temperature in found
            if (of_span - best).mean() <= (of_span - best).std() / np.sqrt(len(truth))
        ][-1]

    def _estimate(
        self, scores: np.ndarray, rows: np.ndarray, folds: np.ndarray, seen: np.ndarray
    ) -> Estimate:
        """Estimate the accuracy; labels of other folds calibrate each prediction."""
        predicted, numbers = np.zeros_like(rows), np.unique(folds)
        for fold in numbers:
            own, how = rows[folds == fold], self._calibrate(scores, rows[folds != fold])
            predicted[folds == fold] = self.windows.smooth(scores, own, *how).argmax(axis=1)
        truth = self.given[rows]
        right = float((predicted == truth).mean())
        # Of one class those no further apart than the span are right and wrong together: count one.
        places = np.sort(rows + max(SPANS) * (self.windows.video[rows] + 10**9 * truth))
        number = (1 + (np.diff(places) > self.span).sum()) / (1 + len(numbers) / (len(numbers) - 1))
        wins = right * number + 0.5
        parts = np.array([right, *stats.beta.interval(CONFIDENCE, wins, number + 1 - wins)])
        counts, chance = np.bincount(self.given[self.given >= 0]), 1 / self.num_classes
        more = float(counts[truth].sum() / seen.sum()) ** GROWTH
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
    values = windows.values[rows]
    sample = values[:: 1 + len(rows) // SAMPLE]
    values = PCA(min(64, *sample.shape), random_state=0).fit(sample).transform(values)
    found = KMeans(count, n_init=3, random_state=0).fit(values)
    nearest = found.transform(values).argmin(axis=0)  # row of each cluster
    sizes = np.bincount(found.labels_, minlength=count)
    return rows[nearest[np.argsort(-sizes, kind='stable')]]
