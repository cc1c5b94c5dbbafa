"""Windows of clips and recordings, in order, and the labels that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import softmax

from mmact_ssl.evaluation.features import normalize
from mmact_ssl.labeling.tables import Label

UNLABELED = -1
MOMENT = 1e-6  # seconds; the length of an event in no time


@dataclass(frozen=True)
class Windows:
    """The windows of some videos, by video and start; a whole clip is one window.

    Attributes:
        videos: Names of the V videos.
        video: int ``(N,)``, position of each window's video.
        spans: float64 ``(N, 2)``, start and stop in seconds; of skeletons in frames.
        features: float32 ``(N, C)``.
    """

    videos: tuple[str, ...]
    video: np.ndarray
    spans: np.ndarray
    features: np.ndarray

    @cached_property
    def values(self) -> np.ndarray:
        """Features without their mean, of unit length, float64 ``(N, C)``."""
        return normalize(self.features, self.features.mean(axis=0, dtype=np.float64))

    @property
    def is_cut(self) -> bool:
        """True if a video has several windows."""
        return len(self.video) > len(self.videos)

    def moments(self) -> np.ndarray:
        """Start and stop of what is nearer to the middle of a window than to others, ``(N, 2)``."""
        middles, is_same = self.spans.mean(axis=1), np.diff(self.video) == 0
        between, moments = (middles[1:] + middles[:-1]) / 2, self.spans.copy()
        moments[1:, 0] = np.where(is_same, between, moments[1:, 0])
        moments[:-1, 1] = np.where(is_same, between, moments[:-1, 1])
        return moments

    def smooth(
        self, scores: np.ndarray, rows: np.ndarray, span: int, temperature: float
    ) -> np.ndarray:
        """Probabilities of some windows, averaged over neighbors, at the ends of a video fewer.

        Args:
            scores: Of all windows, ``(N, K)``.
            rows: The windows, int ``(n,)``.
            span: Number of windows in an average.
            temperature: Of the softmax.

        Returns:
            float64 ``(n, K)``.
        """
        places = rows[:, None] + np.arange(span) - span // 2
        near = places.clip(0, len(self.video) - 1)
        is_inside = (places == near) & (self.video[near] == self.video[rows][:, None])
        probabilities = softmax(scores[near] / temperature, axis=2)
        return probabilities.mean(axis=1, where=is_inside[:, :, None])

    def give(
        self, labels: Sequence[Label], classes: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Class of each window, int ``(N,)``, or :data:`UNLABELED`; and which share a moment with a
        label, bool ``(N,)``.

        A window has a class if more than half of it lies in labels of this class. A label also
        gives its class to the window in whose middle it is, so that short ones count; of several
        classes, to that with the longest labels there, or with the most.
        """
        numbers = {video: number for number, video in enumerate(self.videos)}
        overlap, middles = np.zeros((2, len(self.video), len(classes) + 1))  # the last: no class
        for label in labels:
            first, end = np.searchsorted(self.video, numbers[label.video] + np.arange(2))
            starts, stops = self.spans[first:end].T
            stop, number = min(label.stop, stops[-1]), classes.index(label.name)
            last = max(stop, label.start + MOMENT)
            shared = (np.minimum(stops, last) - np.maximum(starts, label.start)).clip(0)
            overlap[first:end, number] += shared
            nearest = np.abs(starts + stops - label.start - stop).argmin()
            middles[first + nearest, number] += shared[nearest] + MOMENT
        most = overlap.max(axis=1)
        is_inside = most > np.diff(self.spans)[:, 0] / 2 + MOMENT
        best = np.where(is_inside[:, None], overlap, middles)
        return np.where(best.any(axis=1), best.argmax(axis=1), UNLABELED), most > 0

    def groups(self, labels: Sequence[Label]) -> np.ndarray:
        """Group of each window, int ``(N,)``: that of a label of its video, else the video."""
        named = {label.video: f'group {label.group}' for label in labels if label.group}
        names = [named.get(video, f'video {video}') for video in self.videos]
        return np.unique(names, return_inverse=True)[1].reshape(-1)[self.video]
