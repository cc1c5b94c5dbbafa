"""Features of many clips in one file, which grows, is searched in pieces and knows its model."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
BUSY_SECONDS = 60  # that a statement waits for another process
STEPS = 10_000  # of SQLite's virtual machine between two looks at the work done
FIX = 'delete it and add the clips again'
TABLES = (
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)',
    'CREATE TABLE chunks (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, features BLOB NOT NULL)',
    (
        'CREATE TABLE windows (id INTEGER PRIMARY KEY, name TEXT NOT NULL,'
        ' start REAL NOT NULL, stop REAL NOT NULL, UNIQUE (name, start, stop))'
    ),
)


class Window(NamedTuple):
    """A row of an index: a clip, or a part of it, in the unit that the index was made in."""

    name: str
    start: float
    stop: float


class FeatureIndex:
    """One SQLite file of float32 features, row after row, and the clip of each row.

    Several processes may read and add at the same time. A clip is stored once: rows are written in
    one transaction, without those of clips that are there already. Reads are short statements, so
    that no lock is held while features are compared.

    Somebody else's file is data: one with any other table, view, trigger or column is refused, and
    no statement works longer than the size of the file explains.

    Args:
        path: File; made where it is missing.
        meta: What every row depends on, ``model`` among it: an index with other values is refused.

    Raises:
        DataError: The file is damaged, locked, no index, or of another model or other windows.
    """

    def __init__(self, path: str | Path, meta: dict[str, Any]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        wanted = {key: json.dumps(value) for key, value in {'format': FORMAT, **meta}.items()}
        with self._reporting():
            # No transaction begins by itself.
            self._file = sqlite3.connect(self.path, BUSY_SECONDS, isolation_level=None)
            for pragma in ('trusted_schema=OFF', 'cell_size_check=ON'):
                self._file.execute(f'PRAGMA {pragma}')
        if not self._tables():
            self._create(wanted)
        if self._tables() != sorted(TABLES):
            raise DataError(f'{self.path}: its tables are not those of an index: {FIX}')
        stored = dict(self._fetch('SELECT key, value FROM meta LIMIT 100'))
        for key, value in wanted.items():
            if stored.get(key) != value:
                raise DataError(
                    f'{self.path}: its {key} is {stored.get(key)}, now {value}: its features '
                    'cannot be compared with others; give another file'
                )
        # Files derived from this index carry its id, so that another's are not used.
        if not re.fullmatch('[0-9a-f]{32}', str(stored.get('id'))):
            raise DataError(f'{self.path}: it has no id: {FIX}')
        self._codes_file = Path(f'{self.path}.{stored["id"][:8]}.faiss')
        self._codes: Any = None

    def _tables(self) -> list[str]:
        select = 'SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY sql LIMIT 9'
        return [sql for (sql,) in self._fetch(select)]

    def _create(self, meta: dict[str, str]) -> None:
        with self._writing():
            if self._file.execute('SELECT 1 FROM sqlite_master').fetchone():
                return  # another process was first
            for table in TABLES:
                self._file.execute(table)
            rows = {**meta, 'id': uuid.uuid4().hex}.items()
            self._file.executemany('INSERT INTO meta VALUES (?, ?)', rows)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turn SQLite's errors into one line: what the system refuses, or a damaged file."""
        with reading(self.path, FIX):
            try:
                yield
            except sqlite3.OperationalError as error:
                raise DataError(
                    f'{self.path}: {error}: see whether another process holds it, the disk is '
                    'full or the folder cannot be written'
                ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, which waits for those of other processes first."""
        with self._reporting():
            self._file.execute('BEGIN IMMEDIATE')
            with self._file:
                yield

    def _fetch(self, statement: str, *values: Any) -> list[Any]:
        """All rows of a statement that reads; its lock is gone when this returns.

        A row takes a few steps and more bytes, so that the size of the file limits the steps. A
        damaged file can have pages that lead back to themselves, in which SQLite walks for ever.
        """
        left = iter(range(100 + os.path.getsize(self.path) // STEPS))
        with self._reporting():
            # Called as Python code, so that Ctrl-C is seen. SQLite knows both as an interruption.
            self._file.set_progress_handler(lambda: next(left, None) is None, STEPS)
            try:
                return self._file.execute(statement, values).fetchall()
            except sqlite3.OperationalError as error:
                if str(error) != 'interrupted':
                    raise
                if next(left, None) is not None:
                    raise KeyboardInterrupt from None
                raise DataError(f'{self.path}: its pages form a loop: {FIX}') from None
            finally:
                self._file.set_progress_handler(None, STEPS)

    def __len__(self) -> int:
        return self._fetch('SELECT coalesce(max(id), 0) FROM windows')[0][0]

    def __contains__(self, name: str) -> bool:
        name = name.encode('utf-8', 'replace').decode()  # SQLite takes nothing else
        return bool(self._fetch('SELECT 1 FROM windows WHERE name = ? LIMIT 1', name))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, windows: Sequence[Window], features: np.ndarray) -> set[str]:
        """Append rows, float32 ``(N, C)``, all or none, and return the names of their clips.

        The rows of a clip come in one call. Those of a clip that another process has added
        meanwhile are left out.
        """
        with self._writing():
            new = {name for name in {window.name for window in windows} if name not in self}
            kept = [row for row, window in enumerate(windows) if window.name in new]
            self._file.executemany(
                'INSERT INTO windows (name, start, stop) VALUES (?, ?, ?)',
                (windows[row] for row in kept),
            )
            values = np.asarray(features, '<f4')[kept]
            parts = (values[first : first + PIECE] for first in range(0, len(values), PIECE))
            self._file.executemany(
                'INSERT INTO chunks (count, features) VALUES (?, ?)',
                ((len(part), part.tobytes()) for part in parts),
            )
        return new

    def chunks(self, first: int = 0) -> Iterator[np.ndarray]:
        """Yield the features from a row on, at most CHUNK rows at a time, float32 ``(n, C)``."""
        number, skipped = 1, 0
        if first:
            number, skipped = (int(value[0]) for value in self._places(np.array([first])))
        while len(values := self._read(number, max(CHUNK // PIECE, 1))):
            yield np.concatenate(values)[skipped:]
            number, skipped = number + len(values), 0

    def _read(self, number: int, count: int) -> list[np.ndarray]:
        """The features of chunks, each ``(n, C)``; fewer where there are no more."""
        select = 'SELECT id, count, features FROM chunks WHERE id >= ? ORDER BY id LIMIT ?'
        rows = self._fetch(select, number, count)
        with reading(self.path, FIX):
            if [row[0] for row in rows] != list(range(number, number + len(rows))):
                raise ValueError('a part of its features is missing')
            return [np.frombuffer(content, '<f4').reshape(size, -1) for _, size, content in rows]

    def _places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number of the chunk of each row, and its place in it."""
        table = np.array(self._fetch('SELECT id, count FROM chunks ORDER BY id'), np.int64)
        ends = table[:, 1].cumsum()
        chunks = np.searchsorted(ends, rows, side='right')
        return table[chunks, 0], rows - (ends - table[:, 1])[chunks]

    def features(self, rows: np.ndarray) -> np.ndarray:
        """The features of some rows, float32 ``(n, C)``; quickest where these are in order."""
        features, held = [], -1
        for chunk, place in zip(*(values.tolist() for values in self._places(rows))):
            if chunk != held:
                (values,), held = self._read(chunk, 1), chunk
            features.append(values[place].copy())  # not a view that keeps its chunk
        return np.stack(features)

    def windows(self, rows: Sequence[int] | None = None) -> list[Window]:
        """The clips of rows, all if none are named."""
        select = 'SELECT name, start, stop FROM windows'
        if rows is None:
            return [Window(*row) for row in self._fetch(f'{select} ORDER BY id')]
        found = [self._fetch(f'{select} WHERE id = ?', row + 1) for row in rows]
        if not all(found):
            raise DataError(f'{self.path}: the clip of a row is missing: {FIX}')
        return [Window(*row) for (row,) in found]

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
        if self._codes is None or self._codes.ntotal < len(self):
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
