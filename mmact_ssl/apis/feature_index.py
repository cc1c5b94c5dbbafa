"""Features of many clips in one file, which grows, is searched in pieces and knows its model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.files import reading
from mmact_ssl.models.teachers.weights import import_extra

FORMAT = 1
CHUNK = 4096  # rows in memory at once
FAISS_ABOVE = 1_000_000  # rows; exact search in pieces takes seconds a million
FIX = 'delete it and add the clips again'
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE chunks (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, features BLOB NOT NULL);
CREATE TABLE windows (id INTEGER PRIMARY KEY, name TEXT NOT NULL, start REAL, stop REAL);
CREATE INDEX names ON windows (name);
"""


class Window(NamedTuple):
    """A row of an index: a clip, or a part of it, in the unit that the index was made in."""

    name: str
    start: float
    stop: float


class FeatureIndex:
    """One SQLite file of float32 features, row after row, and the clip of each row.

    Rows are written a chunk in one transaction, so that a killed run leaves whole chunks.

    Args:
        path: File; made where it is missing.
        meta: What every row depends on, ``model`` among it: an index with other values is refused.

    Raises:
        DataError: The file is damaged, no index, or of another model or other windows.
    """

    def __init__(self, path: str | Path, meta: dict[str, Any]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        wanted = {key: json.dumps(value) for key, value in {'format': FORMAT, **meta}.items()}
        with reading(self.path, FIX):
            self._file = sqlite3.connect(self.path)
            if not self._file.execute('SELECT count(*) FROM sqlite_master').fetchone()[0]:
                with self._file:
                    self._file.executescript(TABLES)
                    self._file.executemany('INSERT INTO meta VALUES (?, ?)', wanted.items())
            found = dict(self._file.execute('SELECT key, value FROM meta'))
        for key, value in wanted.items():
            if found.get(key) != value:
                raise DataError(
                    f'{self.path}: its {key} is {found.get(key)}, now {value}: its features cannot '
                    'be compared with others; give another file'
                )
        self._faiss: Any = None

    def __len__(self) -> int:
        return self._file.execute('SELECT coalesce(sum(count), 0) FROM chunks').fetchone()[0]

    def __contains__(self, name: str) -> bool:
        name = name.encode('utf-8', 'replace').decode()  # SQLite takes nothing else
        return bool(self._file.execute('SELECT 1 FROM windows WHERE name = ?', (name,)).fetchone())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, windows: Sequence[Window], features: np.ndarray) -> None:
        """Append rows, float32 ``[N, C]``, all or none."""
        values = np.ascontiguousarray(features, '<f4')
        with self._file:
            self._file.executemany(
                'INSERT INTO windows (name, start, stop) VALUES (?, ?, ?)', windows
            )
            self._file.execute(
                'INSERT INTO chunks (count, features) VALUES (?, ?)',
                (len(values), values.tobytes()),
            )
        self._faiss = None

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the features in order, about CHUNK rows at a time, float32 ``[n, C]``."""
        held: list[np.ndarray] = []
        with reading(self.path, FIX):
            select = 'SELECT count, features FROM chunks ORDER BY id'
            for count, content in self._file.execute(select):
                held.append(np.frombuffer(content, '<f4').reshape(count, -1))
                if sum(map(len, held)) >= CHUNK:
                    yield np.concatenate(held)
                    held = []
        if held:
            yield np.concatenate(held)

    def windows(self, rows: Sequence[int] | None = None) -> list[Window]:
        """The clips of rows, all if none are named."""
        select = 'SELECT name, start, stop FROM windows'
        if rows is None:
            return [Window(*row) for row in self._file.execute(f'{select} ORDER BY id')]
        found = (
            self._file.execute(f'{select} WHERE id = ?', (row + 1,)).fetchone() for row in rows
        )
        return [Window(*row) for row in found]

    def search(
        self,
        queries: np.ndarray,
        top: int,
        project: Callable[[np.ndarray], np.ndarray] = normalize,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the rows most similar to each query by the cosine; of equal ones the first.

        Exact. Above FAISS_ABOVE rows, where faiss is installed, its inverted lists of 8-bit values
        are searched instead, which misses some.

        Args:
            queries: float ``[Q, C]``, unit rows of the space that ``project`` leads to.
            top: Rows of each; at most all.
            project: Of features ``[N, C']`` to unit rows ``[N, C]``.

        Returns:
            Cosines ``[Q, k]``, descending, and rows int64 ``[Q, k]``.
        """
        if len(self) > FAISS_ABOVE and project is normalize and find_spec('faiss'):
            return self._search_faiss(queries, top)
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

    def _search_faiss(self, queries: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        faiss = import_extra('faiss', 'a large index', 'search')
        if self._faiss is None:
            lists = max(int(len(self) ** 0.5), 1)
            part = normalize(next(self.chunks())).astype(np.float32)
            name = f'IVF{min(lists, len(part) // 39 or 1)},SQ8'
            self._faiss = faiss.index_factory(part.shape[1], name, faiss.METRIC_INNER_PRODUCT)
            self._faiss.train(part)
            self._faiss.nprobe = 16
            for features in self.chunks():
                self._faiss.add(normalize(features).astype(np.float32))
        return self._faiss.search(queries.astype(np.float32), top)
