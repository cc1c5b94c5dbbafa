"""A searchable folder with the features of many clips, to which clips can be added."""

from __future__ import annotations

import bisect
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.files import CONTROL, expand, read_arrays, read_json, reading, write_atomically

# 1 was one SQLite file; 2 did not know when a file changed; 3 may hold windows of skeletons without
# anybody in them.
FORMAT = 4
CHUNK = 4096  # rows searched at a time
COLUMNS = 'names', 'starts', 'stops', 'versions', 'dropped'
FIX = 'delete the folder of this index and add the clips again'
UNKNOWN = 0, 0  # version of a clip without a file of its own


class Window(NamedTuple):
    """A row of an index: a clip or a part of it, in the index's unit."""

    name: str
    start: float
    stop: float


class FeatureIndex:
    """A folder of numbered npz files, each with the float32 features of some clips.

    Several processes may read and add at the same time. A complete file gets the next number and
    never changes. It may drop clips of the files before it; a clip that is not dropped is stored
    once. Files are never unpickled.

    Args:
        path: Folder; a missing one is made.
        meta: Settings of all rows, such as ``model``; an index with other values is refused.

    Raises:
        DataError: The folder is damaged, not an index, of an earlier version, or has another model
            or other windows.
    """

    def __init__(self, path: str | Path, meta: dict[str, Any]) -> None:
        self.path = expand(path).absolute()
        if self.path.is_file():
            raise DataError(f'{self.path}: is a file, and an index is a folder: {FIX}')
        head, settings = self.path / 'index.json', {'format': FORMAT, **meta}
        if not head.is_file():
            write_atomically(head, json.dumps(settings))
        stored = read_json(head, FIX, dict)
        if stored.get('format') != FORMAT:
            raise DataError(f'{self.path}: is of another version of mmact_ssl: {FIX}')
        for key, value in settings.items():
            if stored.get(key) != value:
                raise DataError(
                    f'{self.path}: its {key} is {_shown(stored, key)}, not '
                    f'{_shown(settings, key)}: give another folder, because features of both '
                    'cannot be compared'
                )
        self._ends: list[int] = []  # rows up to the end of each file
        self._rows: dict[str, list[int]] = {}  # of each clip
        self._versions: dict[str, tuple[int, ...]] = {}
        self._dropped: set[int] = set()  # rows

    def _file(self, number: int) -> Path:
        return self.path / f'{number:06d}.npz'

    def _read(self, number: int) -> tuple[list[Window], list[tuple[int, ...]], list[str]]:
        """Windows and versions of a file's rows, and the names of the clips that it drops."""
        file = self._file(number)
        columns = read_arrays(file, FIX, COLUMNS)
        with reading(file, FIX):
            *spans, versions, dropped = columns.values()
            windows = [
                Window(*row) for row in zip(*(c.ravel().tolist() for c in spans), strict=True)
            ]
            pairs = versions.astype(np.int64).reshape(len(windows), 2).tolist()
            return windows, [tuple(pair) for pair in pairs], dropped.astype(str).ravel().tolist()

    def _features(self, number: int) -> np.ndarray:
        """Features of a file, float32 ``(n, C)``."""
        file = self._file(number)
        features = read_arrays(file, FIX, ['features'])['features']
        rows = self._ends[number] - (self._ends[number - 1] if number else 0)
        if features.dtype != np.float32 or features.ndim != 2 or len(features) != rows:
            raise DataError(f'{file}: not the features of its clips: {FIX}')
        return features

    def _refresh(self) -> None:
        """Read what files that were added since the last call add and drop."""
        while self._file(number := len(self._ends)).is_file():
            windows, versions, dropped = self._read(number)
            for name in dropped:
                self._dropped.update(self._rows.pop(name, ()))
                self._versions.pop(name, None)
            first = self._ends[-1] if self._ends else 0
            for row, (window, version) in enumerate(zip(windows, versions), first):
                self._rows.setdefault(window.name, []).append(row)
                self._versions[window.name] = version
            self._ends.append(first + len(windows))

    def __len__(self) -> int:
        self._refresh()
        return (self._ends[-1] if self._ends else 0) - len(self._dropped)

    def versions(self) -> dict[str, tuple[int, ...]]:
        """Version of each clip, see :func:`mmact_ssl.files.file_version`."""
        self._refresh()
        return dict(self._versions)

    def add(
        self,
        windows: Sequence[Window],
        features: np.ndarray,
        versions: Mapping[str, tuple[int, ...]] | None = None,
    ) -> set[str]:
        """Append rows, float32 ``(N, C)``, all or none, and return the names of the added clips.

        Pass all rows of a clip in one call. Clips that another process has added are left out.
        ``versions`` are those of the clips.
        """
        while new := {window.name for window in windows} - self.versions().keys():
            rows = [row for row, window in enumerate(windows) if window.name in new]
            names, *spans = zip(*(windows[row] for row in rows))
            known = [(versions or {}).get(name, UNKNOWN) for name in names]
            if self._append(names, np.asarray(features)[rows], np.array(spans, float).T, known):
                break
        return new

    def drop(self, versions: Mapping[str, tuple[int, ...]]) -> int:
        """Leave clips out of later searches, and return their number.

        A clip that another process has replaced by one of another version stays.
        """
        while dropped := versions.items() & self.versions().items():
            nothing = np.zeros((0, 2))
            if self._append((), nothing, nothing, nothing, [name for name, _ in dropped]):
                break
        return len(dropped)

    def _append(
        self,
        names: Sequence[str],
        features: np.ndarray,
        spans: np.ndarray,
        versions: Sequence[tuple[int, ...]] | np.ndarray,
        dropped: Sequence[str] = (),
    ) -> bool:
        """Write the next file; False if another process was first."""
        arrays = dict(
            names=np.array(names, str),
            features=features.astype(np.float32),
            starts=spans[:, 0],
            stops=spans[:, 1],
            versions=np.array(versions, np.int64),
            dropped=np.array(dropped, str),
        )
        part = self.path / f'.{uuid.uuid4().hex}.npz'
        try:
            np.savez(part, **arrays)
            os.link(part, self._file(len(self._ends)))
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
        return True

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield all rows that are not dropped, about CHUNK at a time.

        These are their numbers int64 ``(n,)``, and their features float32 ``(n, C)``.
        """
        self._refresh()
        ends = tuple(self._ends)
        rows: list[int] = []
        held: list[np.ndarray] = []
        for number, (start, end) in enumerate(zip((0, *ends), ends)):
            if new := [row for row in range(start, end) if row not in self._dropped]:
                rows += new
                features, is_whole = self._features(number), len(new) == end - start
                held.append(features if is_whole else features[np.array(new) - start])
            if held and (len(rows) >= CHUNK or end == ends[-1]):
                with reading(self.path, FIX):
                    features = np.concatenate(held)
                yield np.array(rows), features
                rows, held = [], []

    def windows(self, rows: Sequence[int] | None = None) -> list[Window]:
        """Windows of the given rows; None: of all that are not dropped."""
        self._refresh()
        if rows is None:
            rows = sorted(row for numbers in self._rows.values() for row in numbers)
        numbers = [bisect.bisect_right(self._ends, row) for row in rows]
        parts = {number: self._read(number)[0] for number in set(numbers)}
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
        for numbers, features in self.chunks():
            if project is normalize and features.shape[1] != queries.shape[1]:
                raise ConfigError(
                    f'{self.path}: its features have {features.shape[1]} values, the query has '
                    f'{queries.shape[1]}'
                )
            similarity, place = nearest(queries, project(features), top)
            best = np.concatenate([best, similarity], axis=1)
            rows = np.concatenate([rows, numbers[place]], axis=1)
            order = np.argsort(-best, axis=1, kind='stable')[:, :top]
            best = np.take_along_axis(best, order, axis=1)
            rows = np.take_along_axis(rows, order, axis=1)
        return best, rows


def _shown(settings: Mapping[str, Any], key: str) -> str:
    """A setting for an error message, a model by its name and 8 digits of its hash."""
    value = settings.get(key)
    if key == 'model':
        value = f'{settings.get("model_name")} ({str(value)[:8]})'
    return CONTROL.sub('?', str(value))[:200]
