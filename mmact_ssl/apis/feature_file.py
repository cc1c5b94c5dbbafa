"""Feature files: npz, written at the end, and Parquet, written in groups of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.errors import ConfigError, import_extra
from mmact_ssl.files import writing_whole

GROUP = 1000  # smallest number of rows in a group


def feature_arrays(
    names: Sequence[str], features: np.ndarray, spans: np.ndarray | None = None
) -> dict[str, Any]:
    """Columns of a file: ``names``, ``features``, and with spans ``(N, 2)`` their ends."""
    arrays = {'names': np.array(names, str), 'features': features.astype(np.float32)}
    return arrays if spans is None else {**arrays, 'starts': spans[:, 0], 'stops': spans[:, 1]}


class FeatureWriter:
    """Writes the features of clips to a file; ``finish`` completes it.

    Args:
        path: File to write.
        suffix: ``'.npz'``, whose rows stay in memory until the end, or ``'.parquet'``.
        model: Its name and the hash of its file are stored as arrays or in the schema's metadata.
        windows: Also write ``starts`` and ``stops``.

    Raises:
        ConfigError: pyarrow is not installed.
    """

    def __init__(self, path: Path, suffix: str, model: PretrainedModel, windows: bool) -> None:
        self.path, self.windows = path, windows
        self.origin: dict[str, Any] = dict(model=model.sha256, model_name=model.card.name)
        self.held: list[tuple[str, np.ndarray, np.ndarray]] = []
        self.parquet: Any = None
        if suffix == '.parquet':
            self.arrow = import_extra('pyarrow', 'a .parquet file', 'search')
            self.parquet = import_extra('pyarrow.parquet', 'a .parquet file', 'search')
            self.table_writer: Any = None

    def write(self, name: str, spans: np.ndarray, values: np.ndarray) -> None:
        """Add the rows of a clip: spans float64 ``(W, 2)``, features float32 ``(W, C)``."""
        self.held.append((name, spans, values))
        if self.parquet and sum(len(values) for *_, values in self.held) >= GROUP:
            self._write_group()

    def _take_held(self) -> dict[str, Any]:
        names = [name for name, _, values in self.held for _ in values]
        spans = np.concatenate([spans for _, spans, _ in self.held]) if self.windows else None
        values = np.concatenate([values for *_, values in self.held])
        self.held = []
        return feature_arrays(names, values, spans)

    def _write_group(self) -> None:
        columns = self._take_held()
        rows = columns['features']
        columns['features'] = self.arrow.FixedSizeListArray.from_arrays(rows.ravel(), rows.shape[1])
        table = self.arrow.table(columns, metadata=self.origin)
        if self.table_writer is None:
            self.table_writer = self.parquet.ParquetWriter(self.path, table.schema)
        self.table_writer.write_table(table)

    def finish(self) -> None:
        """Write the remaining rows."""
        if not self.parquet:
            with open(self.path, 'wb') as file:  # to a name np.savez would add a suffix
                np.savez(file, **self.origin, **self._take_held())
            return
        if self.held:
            self._write_group()
        self.table_writer.close()


@contextmanager
def open_feature_file(path: Path, model: PretrainedModel, windows: bool) -> Iterator[FeatureWriter]:
    """Open a ``.npz`` or ``.parquet`` file, which appears at its path when it is complete."""
    if path.suffix not in ('.npz', '.parquet'):
        raise ConfigError(f'{path}: features are written as .npz or .parquet')
    with writing_whole(path) as part:
        writer = FeatureWriter(part, path.suffix, model, windows)
        yield writer
        writer.finish()
