"""Import of poses from a table (``.npz``), such as ``poses.npz`` of a prepared folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import read_arrays, reading, sha256_of_file
from mmact_ssl.targets.cache import TargetMeta, TargetWriter

NPZ_FIX = 'docs/extend/targets.md has the format'


def import_npz(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    annotated: Sequence[str],
    overwrite: bool = False,
) -> int:
    """Import a table of the poses of all frames of many videos; skip videos in the cache.

    Args:
        source: Npz without pickles: ``names`` (N,) unicode, ``lengths`` (N,) integers,
            ``keypoints`` float (F, V, 3) (x, y as fractions of the frame, score 0..1; F is
            sum(lengths)) and ``layout``, a name in LAYOUTS.
        out: The cache; its keys are the names.
        annotated: Video paths of the annotation files, which must be among the names; the other
            names are not imported.

    Returns:
        Number of videos written.
    """
    source = Path(source)
    with reading(source, NPZ_FIX):
        table = read_arrays(source, NPZ_FIX)
        names, lengths = [str(name) for name in table['names']], table['lengths']
        keypoints, layout = table['keypoints'], str(table['layout'])
        if lengths.dtype.kind not in 'iu' or lengths.min(initial=1) < 1:
            raise ValueError('lengths are integers, 1 or more')
        if len(names) != len(lengths) or int(lengths.sum()) != len(keypoints):
            raise ValueError(
                f'{len(names)} names, {len(lengths)} lengths that sum to {lengths.sum()}, and '
                f'{len(keypoints)} poses do not fit together'
            )
    poses = dict(zip(names, np.split(keypoints, np.cumsum(lengths)[:-1])))
    if len(poses) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f'{source}: {twice!r} is there twice; keep one')
    if lacking := [name for name in annotated if name not in poses]:
        raise DataError(
            f'{source} lacks {len(lacking)} of {len(annotated)} annotated videos, e.g. '
            f'{lacking[0]!r}: name its entries as annotated'
        )
    meta = TargetMeta('pose', layout, sha256_of_file(source), f'import-npz {source.name}')
    written = 0
    with TargetWriter(out, meta, overwrite) as writer:
        for key in (key for key in annotated if key not in writer):
            try:
                writer.put(key, poses[key])
            except ValueError as error:
                raise DataError(f'{source}: {error}') from error
            written += 1
    return written
