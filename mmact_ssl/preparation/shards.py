"""Conversion of a prepared folder of videos to tar shards, for slow disks and for servers."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
from rich.progress import track

from mmact_ssl.datasets.prepared_folder import CLASS_NAMES, GROUPS, LISTS
from mmact_ssl.datasets.shards import INDEX, members
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import read_annotation, write_atomically, writing_whole
from mmact_ssl.preparation.files import write_annotation

SETS = {'shards': 'tar shards of a prepared folder of videos, for slow disks and servers'}
OPTIONS = {'megabytes': dict(type=float, help='of a shard at most; a larger video has its own')}


def prepare(source: Path, out: Path, megabytes: float = 512, seed: int = 0) -> dict[str, int]:
    """Write the videos of a folder's lists into shards, and new lists with their paths there.

    The order in the shards is random, because many lists are sorted by class, and batches from one
    shard would contain one class. The new lists keep the order of the old ones.

    Args:
        source: Folder that ``tools/prepare_data.py`` wrote, with lists and videos.
        out: Folder to write ``shards/SPLIT-000000.tar``, their indexes and the lists to.
        megabytes: Largest size of a shard in 10^6 bytes; a larger video gets its own shard.
        seed: Seed of the order in the shards.
    """
    fix = 'point --source at a prepared folder of videos'
    if out.resolve() == source.resolve():
        raise DataError(
            f'{out}: is also --source, whose lists would be replaced; give another --out'
        )
    known = {name for pair in LISTS for name in (*pair, pair[1].replace('test', 'val'))}
    lists = [source / name for name in sorted(known) if (source / name).is_file()]
    if not lists:
        raise DataError(f'{source}: no train.txt in this folder; {fix}')
    for name in (*known, GROUPS):  # earlier test videos may be in train.txt now
        (out / name).unlink(missing_ok=True)
    counts = {}
    for path in lists:
        names, labels = read_annotation(path, fix)
        if missing := [name for name in names if not (source / name).is_file()]:
            raise DataError(f'{path}: {len(missing)} videos are missing, e.g. {missing[0]}; {fix}')
        order = np.random.default_rng(seed).permutation(len(names))
        sizes = np.array([(source / names[i]).stat().st_size for i in order])
        written = {}
        groups = _groups(sizes, round(1e6 * megabytes))
        for number in track(range(len(groups)), f'shards of {path.name}'):
            shard = out / 'shards' / f'{path.stem}-{number:06d}.tar'
            chosen = [names[i] for i in order[groups[number]]]
            _write(shard, source, chosen)
            written.update({name: shard.relative_to(out).as_posix() for name in chosen})
        lines = [(f'{written[name]}/{name}', label) for name, label in zip(names, labels)]
        write_annotation(out / path.name, ((n, None if i < 0 else i) for n, i in lines))
        counts[path.stem] = len(names)
        counts['shards'] = counts.get('shards', 0) + len(groups)
    for name in (CLASS_NAMES, GROUPS):
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    return counts


def _groups(sizes: np.ndarray, limit: int) -> list[slice]:
    """Cut a sequence of sizes into slices of at most ``limit`` or of one element."""
    groups, first, total = [], 0, 0
    for position, size in enumerate(sizes.tolist()):
        if total and total + size > limit:
            groups.append(slice(first, position))
            first, total = position, 0
        total += size
    return [*groups, slice(first, len(sizes))]


def _write(shard: Path, source: Path, names: list[str]) -> None:
    """Write a shard and its index; equal files give equal bytes."""
    with writing_whole(shard) as part:
        with tarfile.open(part, 'w') as tar:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = (source / name).stat().st_size
                with open(source / name, 'rb') as file:
                    tar.addfile(entry, file)
        Path(f'{shard}{INDEX}').unlink(missing_ok=True)
    members.cache_clear()
    write_atomically(f'{shard}{INDEX}', json.dumps(members(str(shard))) + '\n')
