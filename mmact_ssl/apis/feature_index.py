"""A searchable folder with the features of many clips, to which clips can be added."""

from __future__ import annotations

import bisect
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmact_ssl.apis.feature_file import feature_arrays
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.files import read_arrays, read_json, reading, write_atomically

FORMAT = 2  # 1 was one SQLite file
CHUNK = 4096  # rows searched at a time
COLUMNS = 'names', 'starts', 'stops'
FIX = 'delete it and add the clips again'


class Window(NamedTuple):
    """A row of an index: a clip or a part of it, in the index's unit."""

    name: str
    start: float
    stop: float


class FeatureIndex:
    """A folder of numbered npz files, each with the float32 features of some clips.

    Several processes may read and add at the same time. A clip is stored once: a complete file gets
    the next number, and holds no clip of the files before it. Files are never unpickled.

    Args:
        path: Folder; a missing one is made.
        meta: Settings of all rows, such as ``model``; an index with other values is refused.

    Raises:
        DataError: The folder is damaged, not an index, or has another model or other windows.
    """

    def __init__(self, path: str | Path, meta: dict[str, Any]) -> None:
        self.path = Path(path)
        if self.path.is_file():
            raise DataError(f'{self.path}: is a file, and an index is a folder: {FIX}')
        head, settings = self.path / 'index.json', {'format': FORMAT, **meta}
        if not head.is_file():
            write_atomically(head, json.dumps(settings))
        stored = read_json(head, FIX, dict)
        for key, value in settings.items():
            if stored.get(key) != value:
                raise DataError(
                    f'{self.path}: its {key} is {stored.get(key)}, now {value}: its features '
                    'cannot be compared with others; give another folder'
                )
        self._ends: list[int] = []  # rows up to the end of each file
        self._names: set[str] = set()

    def _file(self, number: int) -> Path:
        return self.path / f'{number:06d}.npz'

    def _windows(self, number: int) -> list[Window]:
        file = self._file(number)
        columns = read_arrays(file, FIX, COLUMNS)
        with reading(file, FIX):
            return [
                Window(*row) for row in zip(*(c.tolist() for c in columns.values()), strict=True)
            ]

    def _features(self, number: int) -> np.ndarray:
        """Features of a file, float32 ``(n, C)``."""
        file = self._file(number)
        features = read_arrays(file, FIX, ['features'])['features']
        rows = self._ends[number] - (self._ends[number - 1] if number else 0)
        if features.dtype != np.float32 or features.ndim != 2 or len(features) != rows:
            raise DataError(f'{file}: not the features of its clips: {FIX}')
        return features

    def _refresh(self) -> None:
        """Read the names in files that were added since the last call."""
        while self._file(number := len(self._ends)).is_file():
            windows = self._windows(number)
            self._names |= {window.name for window in windows}
            self._ends.append(len(windows) + (self._ends[-1] if self._ends else 0))

    def __len__(self) -> int:
        self._refresh()
        return self._ends[-1] if self._ends else 0

    def __contains__(self, name: str) -> bool:
        self._refresh()
        return name in self._names

    def add(self, windows: Sequence[Window], features: np.ndarray) -> set[str]:
        """Append rows, float32 ``(N, C)``, all or none, and return the names of the added clips.

        Pass all rows of a clip in one call. Clips that another process has added are left out.
        """
        while True:
            self._refresh()
            new = {window.name for window in windows} - self._names
            if not new:
                return new
            rows = [row for row, window in enumerate(windows) if window.name in new]
            names, *spans = zip(*(windows[row] for row in rows))
            arrays = feature_arrays(names, np.asarray(features)[rows], np.array(spans, float).T)
            part = self.path / f'.{uuid.uuid4().hex}.npz'
            try:
                np.savez(part, **arrays)
                os.link(part, self._file(len(self._ends)))
                return new
            except FileExistsError:  # another process was first
                continue
            finally:
                part.unlink(missing_ok=True)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield all features, about CHUNK rows at a time, float32 ``(n, C)``."""
        held: list[np.ndarray] = []
        rows = len(self)
        for number, end in enumerate(tuple(self._ends)):
            held.append(self._features(number))
            if sum(map(len, held)) >= CHUNK or end == rows:
                with reading(self.path, FIX):
                    features = np.concatenate(held)
                yield features
                held = []

    def windows(self, rows: Sequence[int] | None = None) -> list[Window]:
        """Windows of the given rows; None: of all rows."""
        self._refresh()
        if rows is None:
            return [window for n in range(len(self._ends)) for window in self._windows(n)]
        numbers = [bisect.bisect_right(self._ends, row) for row in rows]
        parts = {number: self._windows(number) for number in set(numbers)}
        return [parts[number][row - self._ends[number]] for number, row in zip(numbers, rows)]

    def search(
        self,
        queries: np.ndarray,
        top: int,
        project: Callable[[np.ndarray], np.ndarray] = normalize,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the rows most similar to each query by cosine; ties go to the first rows.

        Args:
            queries: float ``(Q, C)``, unit rows in the space of ``project``.
            top: Number of rows for each query.
            project: Maps features ``(N, C')`` to unit rows ``(N, C)``.

        Returns:
            Cosines ``(Q, k)``, descending, and rows int64 ``(Q, k)``.
        """
        best = np.zeros((len(queries), 0))
        rows = np.zeros((len(queries), 0), np.int64)
        first = 0
        for features in self.chunks():
            if project is normalize and features.shape[1] != queries.shape[1]:
                raise ConfigError(
                    f'{self.path}: its features have {features.shape[1]} values, the query has '
                    f'{queries.shape[1]}'
                )
            similarity, place = nearest(queries, project(features), top)
            best = np.concatenate([best, similarity], axis=1)
            rows = np.concatenate([rows, place + first], axis=1)
            order = np.argsort(-best, axis=1, kind='stable')[:, :top]
            best = np.take_along_axis(best, order, axis=1)
            rows = np.take_along_axis(rows, order, axis=1)
            first += len(features)
        return best, rows
