"""Say what a target cache holds, and find what is damaged in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.part_layouts import PART_LAYOUTS
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.file import data_bytes
from mmact_ssl.targets.meta import TargetCacheError, TargetMeta

SAMPLE = 64  # videos that the statistics are of, unless all are read


@dataclass
class CacheReport:
    """``rows``: what to print, label and text; ``damaged``: reason by key."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)


def inspect_cache(path: str | os.PathLike[str], verify: bool = False) -> CacheReport:
    """Read what a cache holds, its size and the statistics of its values.

    Args:
        path: Folder of the cache.
        verify: Read every value, compare its checksums and check shape, range and finiteness; the
            statistics are then of all videos, else of a sample spread over them.

    Raises:
        TargetCacheError: The cache is missing or damaged; without ``verify`` also if a value is.
    """
    reader = TargetReader(path)
    meta, keys = reader.meta, reader.keys()
    report = CacheReport()
    chosen = keys if verify else keys[:: max(1, -(-len(keys) // SAMPLE))]
    statistics = _Statistics(meta)
    for key in chosen:
        try:
            statistics.add(meta.checked(key, reader.get(key)))
        except (TargetCacheError, ValueError) as error:
            if not verify:
                raise
            report.damaged[key] = str(error.__cause__ or error)
    whole = [key for key in keys if key not in report.damaged]
    frames = sum(reader.shape(key)[0] for key in whole)
    window = '' if meta.window is None else f'{meta.window[0]} frames at stride {meta.window[1]}'
    text = meta.kind == 'text'
    report.rows += [
        ('kind', meta.kind),
        ('layout', meta.layout),
        ('window', window),
        ('precision', f'{meta.precision}, stored as {meta.dtype}'),
        ('fingerprint', meta.fingerprint),
        ('source', meta.source),
        ('format', str(meta.format)),
        ('keys' if text else 'videos', str(len(keys))),
        ('sentences' if text else 'frames', str(frames)),
        ('megabytes', f'{data_bytes(Path(path)) / 1e6:.1f}'),
        *[('first', f'{key} {list(reader.shape(key))}') for key in whole[:1]],
        *statistics.rows(),
    ]
    return report


class _Statistics:
    """Running statistics of values; ``count`` counts videos."""

    def __init__(self, meta: TargetMeta) -> None:
        self.meta = meta
        self.count = self.frames = self.empty = 0
        self.lowest, self.highest = np.inf, -np.inf
        self.sums: np.ndarray = np.zeros(1)
        self.squares = self.numbers = self.norms = 0.0

    def add(self, array: np.ndarray) -> None:
        """Take the values of one video."""
        kind = self.meta.kind
        self.count += 1
        self.frames += len(array)
        if kind == 'pose':
            array = array[..., 2]
            self.empty += int((array == 0).all(1).sum())
        elif kind == 'map':
            self.empty += int((array == 0).all((1, 2, 3)).sum())
        else:
            self.norms += float(np.linalg.norm(array, axis=1).sum())
        self.lowest = min(self.lowest, float(array.min()))
        self.highest = max(self.highest, float(array.max()))
        # Of maps a mean for each part, of the rest one for all.
        parts = array.swapaxes(0, 1).reshape(array.shape[1], -1) if kind == 'map' else array[None]
        self.sums = self.sums + parts.reshape(len(parts), -1).sum(1, dtype=np.float64)
        self.squares += float(np.square(array, dtype=np.float64).sum())
        self.numbers += array.size

    def rows(self) -> list[tuple[str, str]]:
        """What to print of them."""
        if not self.count:
            return []
        kind, mean = self.meta.kind, self.sums.sum() / self.numbers
        what = 'score' if kind == 'pose' else 'value'
        deviation = max(self.squares / self.numbers - mean**2, 0) ** 0.5
        rows = [
            (f'{what}s', f'of {self.count} videos: {self.lowest:.4g} to {self.highest:.4g}'),
            (f'mean {what}', f'{mean:.4f}, deviation {deviation:.4f}'),
        ]
        if kind in ('embedding', 'text'):
            rows.append(('mean norm', f'{self.norms / self.frames:.4f}'))
        if kind == 'pose':
            rows.append(('empty', f'{self.empty} frames without any joint'))
        if kind == 'map':
            rows.append(('empty', f'{self.empty} frames without any part'))
            means = self.sums * len(self.sums) / self.numbers
            layout = PART_LAYOUTS.get(self.meta.layout)
            names = layout.names if layout else [f'part {i}' for i in range(len(means))]
            rows += [(f'  {name}', f'{part:.4f} mean') for name, part in zip(names, means)]
        return rows
