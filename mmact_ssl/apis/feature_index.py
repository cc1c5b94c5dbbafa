"""A searchable folder with the features of many clips, to which clips can be added."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmact_ssl.errors import DataError, import_extra
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.files import CONTROL, expand, read_arrays, read_json, reading, write_atomically

FORMAT = 4
LARGE = 100_000  # rows above which faiss searches
FIX = 'delete the folder of this index and add the clips again'
COLUMNS = 'names', 'starts', 'stops', 'versions', 'dropped'
UNKNOWN = 0, 0  # version of a clip without a file of its own


class Window(NamedTuple):
    """A row of an index: a clip or a part of it; start and stop as in an inferencer."""

    name: str
    start: float
    stop: float


class FeatureIndex:
    """A folder of numbered npz files, each with the float32 features of some clips.

    A file never changes. It may drop clips of the files before it. Files are never unpickled. One
    process at a time may add.

    Args:
        path: Folder; a missing one is made.
        meta: Settings of all rows, such as ``model``; an index with other values is refused.

    Attributes:
        versions: Version of each clip, see :func:`mmact_ssl.files.file_version`.

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
        self.versions: dict[str, tuple[int, ...]] = {}
        self._windows: list[list[Window]] = []  # of each file
        self._file_of: dict[str, int] = {}  # number of the file that holds a clip
        self._rows: tuple[list[Window], np.ndarray] | None = None
        self._searchers: dict[Callable[[np.ndarray], np.ndarray], Any] = {}
        while self._file(len(self._windows)).is_file():
            self._take(*self._read(len(self._windows)))

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

    def _take(
        self,
        windows: list[Window],
        versions: Sequence[tuple[int, ...]],
        dropped: Collection[str],
    ) -> None:
        """Note which clips the next file adds and drops."""
        for name in dropped:
            self.versions.pop(name, None)
            self._file_of.pop(name, None)
        for window, version in zip(windows, versions):
            self.versions[window.name] = version
            self._file_of[window.name] = len(self._windows)
        self._windows.append(windows)
        self._rows = None
        self._searchers.clear()

    def add(
        self,
        windows: Sequence[Window],
        features: np.ndarray,
        versions: Mapping[str, tuple[int, ...]],
    ) -> None:
        """Append rows, float32 ``(N, C)``, all or none; all rows of a clip come in one call.

        Args:
            versions: Those of the clips.

        Raises:
            DataError: Another process has written to the index.
        """
        of_rows = [versions.get(window.name, UNKNOWN) for window in windows]
        self._write(list(windows), np.asarray(features, np.float32), of_rows, ())

    def drop(self, names: Collection[str]) -> None:
        """Leave clips out of later searches; DataError if another process has written."""
        if names:
            self._write([], np.zeros((0, 0), np.float32), [], names)

    def _write(
        self,
        windows: list[Window],
        features: np.ndarray,
        versions: list[tuple[int, ...]],
        dropped: Collection[str],
    ) -> None:
        part = self.path / f'.{uuid.uuid4().hex}.npz'
        try:
            np.savez(
                part,
                names=np.array([window.name for window in windows], str),
                starts=np.array([window.start for window in windows], float),
                stops=np.array([window.stop for window in windows], float),
                features=features,
                versions=np.array(versions, np.int64),
                dropped=np.array([*dropped], str),
            )
            os.link(part, self._file(len(self._windows)))  # fails if the file exists
        except FileExistsError:
            raise DataError(
                f'{self.path}: another process has added clips: add yours again, one at a time'
            ) from None
        finally:
            part.unlink(missing_ok=True)
        self._take(windows, versions, dropped)

    def rows(self) -> tuple[list[Window], np.ndarray]:
        """Windows of all rows, and their features float32 ``(N, C)``."""
        if self._rows is None:
            windows: list[Window] = []
            held: list[np.ndarray] = []
            for number, of_file in enumerate(self._windows):
                kept = [row for row, w in enumerate(of_file) if self._file_of.get(w.name) == number]
                if kept:
                    windows += [of_file[row] for row in kept]
                    features = self._features(number)
                    held.append(features[kept] if len(kept) < len(features) else features)
            with reading(self.path, FIX):
                joined = np.concatenate(held) if held else np.zeros((0, 0), np.float32)
            self._rows = windows, joined
        return self._rows

    def _features(self, number: int) -> np.ndarray:
        """Features of a file, float32 ``(n, C)``."""
        file = self._file(number)
        features = read_arrays(file, FIX, ['features'])['features']
        is_table = features.dtype == np.float32 and features.ndim == 2
        if not is_table or len(features) != len(self._windows[number]):
            raise DataError(f'{file}: not the features of its clips: {FIX}')
        return features

    def search(
        self,
        queries: np.ndarray,
        top: int,
        project: Callable[[np.ndarray], np.ndarray] = normalize,
    ) -> list[list[tuple[float, Window]]]:
        """Cosines and windows of the rows most similar to each query, most similar first.

        Args:
            queries: float ``(Q, C)``, unit rows in the space of ``project``.
            top: Number of rows for each query.
            project: Maps features ``(N, C')`` to unit rows ``(N, C)``.

        Raises:
            ConfigError: faiss is not installed, and the index is large.
        """
        windows, features = self.rows()
        if len(windows) <= LARGE:
            cosines, rows = nearest(queries, features, top, project)
        else:
            if project not in self._searchers:
                self._searchers[project] = _fill(features, project)
            searcher = self._searchers[project]
            cosines, rows = searcher.search(queries.astype(np.float32), min(top, len(windows)))
        return [
            [(cosine, windows[row]) for cosine, row in zip(*near)]
            for near in zip(cosines.tolist(), rows.tolist())
        ]


def _fill(features: np.ndarray, project: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Index of faiss with all rows, which finds the same ones as a product of matrices."""
    faiss = import_extra('faiss', f'a search among more than {LARGE} rows', 'search')
    searcher = None
    for start in range(0, len(features), LARGE):
        rows = project(features[start : start + LARGE]).astype(np.float32)
        searcher = searcher or faiss.IndexFlatIP(rows.shape[1])
        searcher.add(rows)
    return searcher


def _shown(settings: Mapping[str, Any], key: str) -> str:
    """A setting for an error message, a model by its name and 8 digits of its hash."""
    value = settings.get(key)
    if key == 'model':
        value = f'{settings.get("model_name")} ({str(value)[:8]})'
    return CONTROL.sub('?', str(value))[:200]
