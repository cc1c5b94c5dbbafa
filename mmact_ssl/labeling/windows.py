"""Windows of clips and recordings, in order, and the labels that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .tables import Label

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
    def ranges(self) -> dict[str, slice]:
        """The windows of each video by its name."""
        edges = np.searchsorted(self.video, np.arange(len(self.videos) + 1)).tolist()
        return dict(zip(self.videos, map(slice, edges, edges[1:])))

    @property
    def is_cut(self) -> bool:
        """True if a video has several windows."""
        return len(self.video) > len(self.videos)

    def near(self, rows: np.ndarray, span: int) -> np.ndarray:
        """Rows of windows and of their neighbors, int ``(n, span)``; -1 outside of their video."""
        places = rows[:, None] + np.arange(span) - span // 2
        kept = places.clip(0, len(self.video) - 1)
        is_inside = (places == kept) & (self.video[kept] == self.video[rows][:, None])
        return np.where(is_inside, places, -1)

    def smooth(self, probabilities: np.ndarray, span: int) -> np.ndarray:
        """Average probabilities ``(N, K)`` over ``span`` windows of a video, at its ends fewer."""
        near = self.near(np.arange(len(self.video)), span)
        values = np.append(probabilities, np.zeros((1, probabilities.shape[1])), axis=0)
        return sum(values[column] for column in near.T) / (near >= 0).sum(axis=1, keepdims=True)

    def share(self, label: Label) -> tuple[slice, np.ndarray]:
        """Windows of the video of a label, and the seconds that each shares with it."""
        part = self.ranges[label.video]
        starts, stops = self.spans[part].T
        stop = max(label.stop, label.start + MOMENT)
        return part, np.maximum(np.minimum(stops, stop) - np.maximum(starts, label.start), 0)

    def give(self, labels: Sequence[Label], classes: Sequence[str]) -> np.ndarray:
        """Class of each window, int ``(N,)``, and :data:`UNLABELED`.

        A window has a class if more than half of it lies in labels of this class. A label also
        gives its class to the window in whose middle it is, so that short ones count; of several
        classes, to that with the longest labels there, or with the most.
        """
        overlap, middles = np.zeros((2, len(self.video), len(classes)))
        for label in labels:
            part, shared = self.share(label)
            number, stop = classes.index(label.name), min(label.stop, self.spans[part.stop - 1, 1])
            overlap[part, number] += shared
            away = np.abs(self.spans[part].sum(axis=1) - label.start - stop)
            middles[part.start + away.argmin(), number] += shared[away.argmin()] + MOMENT
        length = np.diff(self.spans, axis=1)[:, 0]
        is_inside = overlap.max(axis=1, initial=0) > length / 2 + MOMENT
        best = np.where(is_inside[:, None], overlap, middles)
        return np.where(best.any(axis=1), best.argmax(axis=1), UNLABELED)

    def groups(self, labels: Sequence[Label]) -> np.ndarray:
        """Group of each window, int ``(N,)``: that of a label of its video, else the video."""
        named = {label.video: f'group {label.group}' for label in labels if label.group}
        names = [named.get(video, f'video {video}') for video in self.videos]
        return np.unique(names, return_inverse=True)[1].reshape(-1)[self.video]

    def touched(self, labels: Sequence[Label]) -> np.ndarray:
        """Windows that share a moment with a label, bool ``(N,)``."""
        touched = np.zeros(len(self.video), bool)
        for label in labels:
            part, shared = self.share(label)
            touched[part] |= shared > 0
        return touched
