"""Features of many clips in one file, which grows, is searched in pieces and knows its model."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmact_ssl.apis.compressed_search import find_candidates, open_codes
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.neighbors import nearest
from mmact_ssl.files import reading

FORMAT = 1
CHUNK = 4096  # rows in memory at once
PIECE = 64  # rows in a value of the file, which is read whole for any of them
QUERIES = 64  # whose candidates are in memory at once
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
                    # Files derived from this index carry its id, so that another's are not used.
                    self._file.execute('INSERT INTO meta VALUES (?, ?)', ('id', uuid.uuid4().hex))
            found = dict(self._file.execute('SELECT key, value FROM meta'))
        for key, value in wanted.items():
            if found.get(key) != value:
                raise DataError(
                    f'{self.path}: its {key} is {found.get(key)}, now {value}: its features cannot '
                    'be compared with others; give another file'
                )
        self._codes_file = Path(f'{self.path}.{found.get("id", "")[:8]}.faiss')
        self._codes: Any = None

    def __len__(self) -> int:
        return self._file.execute('SELECT coalesce(sum(count), 0) FROM chunks').fetchone()[0]

    def __contains__(self, name: str) -> bool:
        name = name.encode('utf-8', 'replace').decode()  # SQLite takes nothing else
        return bool(self._file.execute('SELECT 1 FROM windows WHERE name = ?', (name,)).fetchone())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, windows: Sequence[Window], features: np.ndarray) -> None:
        """Append rows, float32 ``(N, C)``, all or none."""
        values = np.ascontiguousarray(features, '<f4')
        with self._file:
            self._file.executemany(
                'INSERT INTO windows (name, start, stop) VALUES (?, ?, ?)', windows
            )
            parts = (values[first : first + PIECE] for first in range(0, len(values), PIECE))
            self._file.executemany(
                'INSERT INTO chunks (count, features) VALUES (?, ?)',
                ((len(part), part.tobytes()) for part in parts),
            )
        self._codes = None

    def chunks(self, first: int = 0) -> Iterator[np.ndarray]:
        """Yield the features from a row on, about CHUNK rows at a time, float32 ``(n, C)``."""
        held: list[np.ndarray] = []
        with reading(self.path, FIX):
            chunk, skipped = 0, 0
            if first:
                chunk, skipped = (int(value[0]) for value in self._places(np.array([first])))
            select = 'SELECT count, features FROM chunks WHERE id >= ? ORDER BY id'
            for count, content in self._file.execute(select, (chunk,)):
                held.append(np.frombuffer(content, '<f4').reshape(count, -1)[skipped:])
                skipped = 0
                if sum(map(len, held)) >= CHUNK:
                    yield np.concatenate(held)
                    held = []
        if held:
            yield np.concatenate(held)

    def _places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of the chunk of each row, and its place in it."""
        table = np.array(self._file.execute('SELECT id, count FROM chunks ORDER BY id').fetchall())
        ends = table[:, 1].cumsum()
        chunks = np.searchsorted(ends, rows, side='right')
        return table[chunks, 0], rows - (ends - table[:, 1])[chunks]

    def features(self, rows: np.ndarray) -> np.ndarray:
        """The features of some rows, float32 ``(n, C)``; quickest where these are in order."""
        found, held = [], -1
        with reading(self.path, FIX):
            for chunk, place in zip(*(values.tolist() for values in self._places(rows))):
                if chunk != held:
                    select = 'SELECT count, features FROM chunks WHERE id = ?'
                    count, content = self._file.execute(select, (chunk,)).fetchone()
                    values, held = np.frombuffer(content, '<f4').reshape(count, -1), chunk
                found.append(values[place].copy())  # not a view that keeps its chunk
        return np.stack(found)

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

        Exact. Above FAISS_ABOVE rows, where faiss is installed, some are missed: its codes of the
        rows, in a file beside this one, choose those that are compared exactly.

        Args:
            queries: float ``(Q, C)``, unit rows of the space that ``project`` leads to.
            top: Rows of each; at most all.
            project: Of features ``(N, C')`` to unit rows ``(N, C)``.

        Returns:
            Cosines ``(Q, k)``, descending, and rows int64 ``(Q, k)``.
        """
        if len(self) > FAISS_ABOVE and project is normalize and find_spec('faiss'):
            return self._search_codes(queries, top)
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

    def _search_codes(self, queries: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        if self._codes is None:
            self._codes = open_codes(self._codes_file, len(self), self.chunks)
        similarities, rows = [], []
        for first in range(0, len(queries), QUERIES):
            part = queries[first : first + QUERIES]
            candidates = find_candidates(self._codes, part, top)
            known, place = np.unique(candidates, return_inverse=True)
            is_row = known >= 0
            cosines = np.full((len(part), len(known)), -np.inf)
            cosines[:, is_row] = part @ normalize(self.features(known[is_row])).T
            cosines = np.take_along_axis(cosines, place.reshape(candidates.shape), axis=1)
            best = np.lexsort((candidates, -cosines))[:, : min(top, len(self))]
            similarities.append(np.take_along_axis(cosines, best, axis=1))
            rows.append(np.take_along_axis(candidates, best, axis=1))
        return np.concatenate(similarities), np.concatenate(rows)
