"""Report of what a target cache holds, and of what is damaged in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetReader, data_bytes

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
    moments = []
    for key in chosen:
        try:
            moments.append(_moments(meta.kind, meta.checked(key, reader.get(key))))
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
        ('keys' if text else 'videos', str(len(keys))),
        ('sentences' if text else 'frames', str(frames)),
        ('megabytes', f'{data_bytes(Path(path)) / 1e6:.1f}'),
        *[('first', f'{key} {list(reader.shape(key))}') for key in whole[:1]],
        *(_statistics(meta, moments) if moments else []),
    ]
    return report


def _moments(kind: str, array: np.ndarray) -> np.ndarray:
    """Minimum and maximum; sums of frames, values, squares, empty frames, norms and each part."""
    values = array[..., 2] if kind == 'pose' else array
    frames = values.reshape(len(values), -1).astype(np.float64)
    # Of maps a sum for each part, of the rest one for all.
    parts = frames.reshape(len(values), array.shape[1] if kind == 'map' else 1, -1).sum((0, 2))
    norms = np.linalg.norm(frames, axis=1)
    sums = [len(frames), frames.size, (frames**2).sum(), (norms == 0).sum(), norms.sum(), *parts]
    return np.array([frames.min(), frames.max(), *sums])


def _statistics(meta: TargetMeta, moments: list[np.ndarray]) -> list[tuple[str, str]]:
    table = np.array(moments)
    _, _, frames, size, squares, empty, norms, *parts = table.sum(0)
    mean = sum(parts) / size
    std = max(squares / size - mean**2, 0) ** 0.5
    what = 'score' if meta.kind == 'pose' else 'value'
    low, high = table[:, 0].min(), table[:, 1].max()
    rows = [
        (f'{what}s', f'of {len(table)} videos: {low:.4g} to {high:.4g}'),
        (f'mean {what}', f'{mean:.4f}, standard deviation {std:.4f}'),
    ]
    if meta.kind in ('embedding', 'text'):
        return [*rows, ('mean norm', f'{norms / frames:.4f}')]
    thing = 'joint' if meta.kind == 'pose' else 'part'
    rows.append(('empty', f'{empty:.0f} frames without any {thing}'))
    if meta.kind == 'map':
        layout = PART_LAYOUTS.get(meta.layout)
        names = layout.names if layout else [f'part {i}' for i in range(len(parts))]
        means = [part * len(parts) / size for part in parts]
        rows += [(f'  {name}', f'{part:.4f} mean') for name, part in zip(names, means)]
    return rows
