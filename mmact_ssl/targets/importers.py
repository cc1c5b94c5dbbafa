"""Import of other programs' targets from a table (``.npz``)."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.files import open_archive, read_arrays, reading, sha256_of_file
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from mmact_ssl.targets.values import from_storage

NPZ_FIX = 'docs/extend/targets.md has the format'
# The name of the array in an npz file gives its kind.
NPZ_KINDS = {'keypoints': 'pose', 'embeddings': 'embedding', 'maps': 'map'}


def npz_kind(source: str | os.PathLike[str]) -> str:
    """Kind of the targets in a table, by the name of its array; DataError if there is none."""
    with open_archive(source, NPZ_FIX) as archive:
        kinds = [kind for name, kind in NPZ_KINDS.items() if f'{name}.npy' in archive.namelist()]
    if len(kinds) != 1:
        raise DataError(f'{source} must hold one of {", ".join(NPZ_KINDS)}: {NPZ_FIX}')
    return kinds[0]


def import_npz(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    annotated: Sequence[str] | None = None,
    overwrite: bool = False,
    dtypes: Mapping[str, str] | None = None,
) -> int:
    """Import a table of poses, embeddings or part maps of all frames of many videos.

    A name matches an annotated video path exactly, else without suffix (``videos/a1_s1``), else
    without suffix if one of them has more folders before it (``a1_s1`` for ``videos/a1_s1.mp4``).
    The annotated path becomes the key. Two videos cannot share an entry. Videos that are in the
    cache are skipped.

    Args:
        source: Npz without pickles: ``names`` (N,) unicode, ``lengths`` (N,) integers, and one of
            ``keypoints`` float (F, V, 3) (x, y as fractions of the frame, score 0..1; F is
            sum(lengths)) with ``layout``, a name in LAYOUTS; ``embeddings`` float (F, D), with
            ``window`` (num_frames, stride) if they belong to clips; ``maps`` (F, C, h, w), float
            0..1 or uint8 0..255, with ``layout``, a name in PART_LAYOUTS, unless no part has a
            side.
        out: The cache.
        annotated: Video paths of the annotation files. None: the names in the table are the keys.
        overwrite: Replace an existing cache.
        dtypes: {kind: storage type}; float32 by default.

    Returns:
        Number of videos written.
    """
    source = Path(source)
    kind = npz_kind(source)
    with reading(source, NPZ_FIX):
        table = read_arrays(source, NPZ_FIX)
        names, lengths = [str(name) for name in table['names']], table['lengths']
        values = next(table[name] for name in NPZ_KINDS if name in table)
        layout = str(table['layout']) if kind == 'pose' else str(table.get('layout', ''))
        window = tuple(table['window'].tolist()) if 'window' in table else None
        if window is not None and (kind != 'embedding' or len(window) != 2 or min(window) < 1):
            raise ValueError(f'window is (num_frames, stride) of embeddings, not {window}')
        if lengths.dtype.kind not in 'iu' or lengths.min(initial=1) < 1:
            raise ValueError('lengths are integers, 1 or more')
        if len(names) != len(lengths) or int(lengths.sum()) != len(values):
            raise ValueError(
                f'{len(names)} names, {len(lengths)} lengths that sum to {lengths.sum()}, and '
                f'{len(values)} values do not fit together'
            )
    matched = _match(source, names, lengths, annotated)
    meta = TargetMeta(
        kind,
        layout,
        sha256_of_file(source),
        f'import-npz {source.name}',
        window,
        dtype=(dtypes or {}).get(kind, 'float32'),
    )
    written = 0
    with TargetWriter(out, meta, overwrite) as writer:
        for key, span in matched.items():
            if key in writer:
                continue
            try:
                array = values[span]
                writer.put(key, from_storage(array) if kind == 'map' else array)
            except ValueError as error:
                raise DataError(f'{source}: {error}') from error
            written += 1
    return written


def _stem(path: str) -> str:
    """Path without its suffix; digits after a dot, as in ``clip_10.30``, are not a suffix."""
    pure = PurePosixPath(path)
    return path if pure.suffix[1:].isdigit() else pure.with_suffix('').as_posix()


def _is_one_the_end(one: str, other: str) -> bool:
    """True if one of two paths is the other without its first folders."""
    ends = zip(PurePosixPath(one).parts[::-1], PurePosixPath(other).parts[::-1])
    return all(first == second for first, second in ends)


def _match(
    source: Path, names: Sequence[str], lengths: np.ndarray, annotated: Sequence[str] | None
) -> dict[str, slice]:
    """Find the frames of each annotated video (None: of each entry) in the table."""
    ends = np.cumsum(lengths).tolist()
    spans = {name: slice(start, end) for name, start, end in zip(names, [0, *ends], ends)}
    if len(spans) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f'{source}: {twice!r} is there twice; keep one')
    if annotated is None:
        return spans
    exact = set(annotated) & set(spans)
    by_name = defaultdict(list)
    for name in spans.keys() - exact:
        by_name[PurePosixPath(_stem(name)).name].append(name)
    matched: dict[str, slice] = {}
    videos: dict[str, str] = {}  # annotated video of each used entry
    for key in annotated:
        stem = _stem(key)
        same = [] if key in exact else by_name[PurePosixPath(stem).name]
        entries = [key] if key in exact else [name for name in same if _stem(name) == stem]
        entries = entries or [name for name in same if _is_one_the_end(stem, _stem(name))]
        if len(entries) != 1:
            what = f'several entries ({", ".join(sorted(entries)[:3])})' if entries else 'nothing'
            fix = 'name its entries as annotated'
            raise DataError(f'{source} has {what} for the annotated video {key!r}: {fix}')
        if (first := videos.setdefault(entries[0], key)) != key:
            raise DataError(
                f'{source}: {entries[0]!r} is the only entry for two annotated videos, {first!r} '
                f'and {key!r}: name its entries as annotated'
            )
        matched[key] = spans[entries[0]]
    return matched
