"""A searchable folder with the features of many clips, to which clips can be added."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.io.files import expand, read_arrays, reading, shown, write_atomically
from mmact_ssl.io.schema import read_json

FORMAT = 5  # also rises when an encoder's features change
FIX = 'delete the folder of this index and add the clips again'
COLUMNS = 'names', 'starts', 'stops', 'versions', 'dropped'


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
        path: Folder; the first rows make a missing one.
        meta: Settings of all rows, such as ``model``; an index with other values is refused.

    Attributes:
        versions: Version of each clip, see :func:`mmact_ssl.io.files.file_version`.

    Raises:
        DataError: The folder is damaged, not an index, of an earlier version, or has another model
            or other windows.
    """

    def __init__(self, path: str | Path, meta: dict[str, Any]) -> None:
        self.path, self._settings = expand(path).absolute(), {'format': FORMAT, **meta}
        self._head = self.path / 'index.json'
        self._check()
        self.versions: dict[str, tuple[int, ...]] = {}
        self._windows: list[list[Window]] = []  # of each file
        self._file_of: dict[str, int] = {}  # number of the file that holds a clip
        self._rows: tuple[list[Window], np.ndarray] | None = None
        while self._file(len(self._windows)).is_file():
            self._take(*self._read(len(self._windows)))

    def _check(self) -> None:
        """Raise DataError for a folder of other settings."""
        stored = read_json(self._head, FIX) if self._head.is_file() else self._settings
        for key, asked in self._settings.items():
            if (found := stored.get(key)) != asked:
                if key == 'model':
                    found = f'{stored.get("model_name")} ({str(found)[:8]})'
                    asked = f'{self._settings.get("model_name")} ({str(asked)[:8]})'
                raise DataError(
                    f'{self.path}: its {key} is {shown(found)}, not {shown(asked)}: give another '
                    'folder, because features of both cannot be compared'
                )

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
        self, windows: list[Window], versions: Sequence[tuple[int, ...]], dropped: Collection[str]
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

    def add(
        self,
        windows: Sequence[Window],
        features: np.ndarray,
        versions: Mapping[str, tuple[int, ...]],
        dropped: Collection[str] = (),
    ) -> None:
        """Append rows, float32 ``(N, C)``, all or none; all rows of a clip come in one call.

        Args:
            versions: Those of the clips.
            dropped: Clips of earlier rows that later searches leave out.

        Raises:
            DataError: Another process has written to the index.
        """
        if not self._head.is_file():
            write_atomically(self._head, json.dumps(self._settings))
        self._check()  # another process may have been first
        of_rows = [versions.get(window.name, (0, 0)) for window in windows]
        part = self.path / f'.{uuid.uuid4().hex}.npz'
        try:
            np.savez(
                part,
                names=np.array([window.name for window in windows], str),
                starts=np.array([window.start for window in windows], float),
                stops=np.array([window.stop for window in windows], float),
                features=np.asarray(features, np.float32),
                versions=np.array(of_rows, np.int64),
                dropped=np.array([*dropped], str),
            )
            os.link(part, self._file(len(self._windows)))  # fails if the file exists
        except FileExistsError:
            raise DataError(
                f'{self.path}: another process has added clips: add yours again, one at a time'
            ) from None
        finally:
            part.unlink(missing_ok=True)
        self._take(list(windows), of_rows, dropped)

    def drop(self, names: Collection[str]) -> None:
        """Leave clips out of later searches; DataError if another process has written."""
        if names:
            self.add([], np.zeros((0, 0)), {}, names)

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
        self, queries: np.ndarray, top: int, project: Callable[[np.ndarray], np.ndarray] = normalize
    ) -> list[list[tuple[float, Window]]]:
        """Cosines and windows of the rows most similar to each query, most similar first.

        Args:
            queries: float ``(Q, C)``, unit rows in the space of ``project``.
            top: Number of rows for each query.
            project: Maps features ``(N, C')`` to unit rows ``(N, C)``.
        """
        windows, features = self.rows()
        cosines, rows = nearest(queries, features, top, project)
        return [
            [(cosine, windows[row]) for cosine, row in zip(*near)]
            for near in zip(cosines.tolist(), rows.tolist())
        ]
