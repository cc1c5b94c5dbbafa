"""Report of the content of a target cache, and of damaged values."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetReader, data_bytes

LOW_SCORE = 0.3  # of poses (our choice); MoveNet's mean on JHMDB is 0.39
SAMPLE = 64  # number of videos in the statistics, unless all are read


def inspect_cache(
    path: str | os.PathLike[str], verify: bool = False
) -> tuple[dict[str, str], dict[str, str]]:
    """Report the content, the size and the statistics of a cache.

    With ``verify`` it reads every value, compares the checksums and checks shape, range and
    finiteness; the statistics then cover all videos. Otherwise they cover a sample of the videos,
    and a damaged value is an error.

    Returns:
        {label: text} to print, and {key: reason} of the damaged values.
    """
    reader = TargetReader(path)
    meta, keys = reader.meta, reader.keys()
    damaged: dict[str, str] = {}
    statistics: list[np.ndarray] = []
    for key in keys if verify else keys[:: max(1, -(-len(keys) // SAMPLE))]:
        try:
            statistics.append(_statistics(meta, meta.checked(key, reader.get(key))))
        except (TargetCacheError, ValueError) as error:
            if not verify:
                raise
            damaged[key] = str(error.__cause__ or error)
    intact = [key for key in keys if key not in damaged]
    window = '' if meta.window is None else f'{meta.window[0]} frames at stride {meta.window[1]}'
    is_text = meta.kind == 'text'
    rows = {
        'kind': meta.kind,
        'layout': meta.layout,
        'window': window,
        'precision': f'{meta.precision}, stored as {meta.dtype}',
        'every': f'{meta.every} frames' if meta.every > 1 else '',
        'fingerprint': meta.fingerprint,
        'source': meta.source,
        'keys' if is_text else 'videos': str(len(keys)),
        'sentences' if is_text else 'frames': str(sum(reader.shape(key)[0] for key in intact)),
        'megabytes': f'{data_bytes(Path(path)) / 1e6:.1f}',
    }
    if intact:
        rows['first'] = f'{intact[0]} {list(reader.shape(intact[0]))}'
    if statistics:
        frames, low, high, empty, *means = np.array(statistics).T
        what = 'scores' if meta.kind == 'pose' else 'values'
        rows[what] = f'of {len(low)} videos: {low.min():.4g} to {high.max():.4g}'
        rows['empty'] = f'{empty.sum():.0f} all zero'
        layout = PART_LAYOUTS.get(meta.layout)
        for i, mean in enumerate(means):
            label = f'mean of {layout.names[i] if layout else i}' if len(means) > 1 else 'mean'
            rows[label] = f'{np.average(mean, weights=frames):.4f}'
    return rows, damaged


def doubtful_poses(path: str | os.PathLike[str]) -> str:
    """Warning about a cache of poses with low scores; '' for any other cache."""
    reader = TargetReader(path)
    keys = reader.keys()
    if reader.meta.kind != 'pose' or not keys:
        return ''
    scores = [reader.get(key)[..., 2] for key in keys[:: max(1, -(-len(keys) // SAMPLE))]]
    mean = float(np.concatenate(scores).mean())
    if mean >= LOW_SCORE:
        return ''
    return (
        f'{path}: the mean score of the poses is {mean:.2f}: the teacher hardly sees persons here, '
        'and its poses may teach nothing; look at the videos, or take another teacher '
        '(docs/extend/teachers.md)'
    )


def _statistics(meta: TargetMeta, array: np.ndarray) -> np.ndarray:
    """Frames, minimum, maximum, frames of zeros, and the mean (of maps: the mean of each part)."""
    values = array[..., 2] if meta.kind == 'pose' else array
    empty = (~values.reshape(len(values), -1).any(axis=1)).sum()
    means = values.mean((0, 2, 3)) if meta.kind == 'map' else [values.mean()]
    return np.array([len(values), values.min(), values.max(), empty, *means])


def cache_version(path: str | os.PathLike, keys: Iterable[str] | None = None) -> str:
    """Hash the teacher of a target cache and the storage of its values.

    For sentences it also hashes the embeddings of ``keys`` (None: all), because a fingerprint does
    not cover the embedded sentences. Other targets are determined by the teacher and the videos.
    """
    reader = TargetReader(path)
    names = ('kind', 'layout', 'window', 'precision', 'dtype')
    words = {'fingerprint': reader.meta.identity, **{n: getattr(reader.meta, n) for n in names}}
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    if reader.meta.kind == 'text':
        for key in reader.keys() if keys is None else sorted(keys):
            values = reader.get(key)  # (S, D)
            digest.update(f'{key} {values.shape}\n'.encode() + values.tobytes())
    return digest.hexdigest()
