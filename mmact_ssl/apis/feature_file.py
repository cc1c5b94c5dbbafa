"""Files of features, written clip by clip: npz and Parquet."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.files import writing_whole


@contextmanager
def open_feature_file(path: Path, model: str, windows: bool) -> Iterator[_NpzFile | _ParquetFile]:
    """Open a file whose ending is ``.npz`` or ``.parquet``; it is there once all is written.

    Its ``write`` takes the rows of one clip: name, spans float64 ``(W, 2)``, features float32
    ``(W, C)``. Both kinds hold ``names`` and ``features`` and, of ``windows``, ``starts`` and
    ``stops``; npz the model's hash as ``model``, Parquet in the metadata of its schema.

    Raises:
        ConfigError: Another ending, or pyarrow is not installed.
    """
    kinds: dict[str, type[_NpzFile] | type[_ParquetFile]]
    kinds = {'.npz': _NpzFile, '.parquet': _ParquetFile}
    if path.suffix not in kinds:
        raise ConfigError(f'{path}: features are written as .npz or .parquet')
    with writing_whole(path) as part:
        file = kinds[path.suffix](part, model, windows)
        try:
            yield file
            file.finish()
        finally:
            part.with_suffix('.rows').unlink(missing_ok=True)


class _NpzFile:
    """Rows go to a file beside it first, as the head of an array says how many there are."""

    def __init__(self, path: Path, model: str, windows: bool) -> None:
        self.path, self.model, self.windows = path, model, windows
        self.names: list[str] = []
        self.spans: list[np.ndarray] = []
        self.rows = open(path.with_suffix('.rows'), 'w+b')  # noqa: SIM115 (closed by finish)

    def write(self, name: str, spans: np.ndarray, values: np.ndarray) -> None:
        self.names += [name] * len(values)
        self.spans.append(spans)
        self.size = values.shape[1]
        self.rows.write(values.astype('<f4').tobytes())

    def finish(self) -> None:
        arrays = {'names': np.array(self.names), 'model': np.array(self.model)}
        if self.windows:
            arrays['starts'], arrays['stops'] = np.concatenate(self.spans).T.copy()
        head = dict(descr='<f4', fortran_order=False, shape=(len(self.names), self.size))
        with zipfile.ZipFile(self.path, 'w', allowZip64=True) as archive:
            for key, array in arrays.items():
                with archive.open(f'{key}.npy', 'w') as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
            with archive.open('features.npy', 'w', force_zip64=True) as file, self.rows:
                np.lib.format.write_array_header_1_0(file, head)
                self.rows.seek(0)
                shutil.copyfileobj(self.rows, file)


class _ParquetFile:
    """A row group a thousand rows or more."""

    def __init__(self, path: Path, model: str, windows: bool) -> None:
        self.arrow = import_extra('pyarrow', 'a .parquet file', 'search')
        self.parquet = import_extra('pyarrow.parquet', 'a .parquet file', 'search')
        self.path, self.model, self.windows = path, model, windows
        self.writer: Any = None
        self.held: list[tuple[str, np.ndarray, np.ndarray]] = []

    def write(self, name: str, spans: np.ndarray, values: np.ndarray) -> None:
        self.held.append((name, spans, values))
        if sum(len(values) for _, _, values in self.held) >= 1000:
            self._write_group()

    def _write_group(self) -> None:
        names, spans, values = zip(*self.held)
        rows = np.concatenate(values)
        columns: dict[str, Any] = {
            'names': [name for name, part in zip(names, values) for _ in part],
            'features': self.arrow.FixedSizeListArray.from_arrays(rows.ravel(), rows.shape[1]),
        }
        if self.windows:
            columns['starts'], columns['stops'] = np.concatenate(spans).T
        table = self.arrow.table(columns, metadata={'model': self.model})
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)
        self.held = []

    def finish(self) -> None:
        if self.held:
            self._write_group()
        self.writer.close()
