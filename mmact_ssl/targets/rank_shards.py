"""Shards of a target cache: each rank of an extraction writes one, the first merges them."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from mmact_ssl.targets.cache import (
    TOOL,
    TargetReader,
    TargetWriter,
    data_bytes,
    encode_key,
    reading,
    remove_cache,
)
from mmact_ssl.targets.meta import TargetCacheError, TargetMeta, check_meta

MARK = 'shard_of_targets'  # file in the folder of each
MOVED_AT_ONCE = 100  # videos in a transaction of a merge, each of which waits for the disk


def make_shard(path: str | os.PathLike[str], rank: int) -> Path:
    """Make and mark the folder of the shard that one rank writes, e.g. ``pose.lmdb.rank0``."""
    shard = Path(f'{os.fspath(path)}.rank{rank}')
    if data_bytes(shard) and not (shard / MARK).is_file():
        raise TargetCacheError(f'{shard} is not of this extraction: move it away')
    shard.mkdir(parents=True, exist_ok=True)
    (shard / MARK).touch()
    return shard


def find_shards(path: str | os.PathLike[str]) -> list[Path]:
    """Shards beside a cache, by the mark in them; other folders of such a name are not touched."""
    path = Path(path)
    beside = path.parent.iterdir() if path.parent.is_dir() else []
    shards = (shard for shard in beside if shard.name.startswith(f'{path.name}.rank'))
    return sorted(shard for shard in shards if (shard / MARK).is_file())


def remove_shards(path: str | os.PathLike[str]) -> None:
    """Remove the shards beside a cache, and nothing else that lies in their folders."""
    for shard in find_shards(path):
        _remove(shard)


def _remove(shard: Path) -> None:
    remove_cache(shard)
    (shard / MARK).unlink()  # last: killed before, it is found again
    if not any(shard.iterdir()):
        shard.rmdir()


def merge_shards(path: str | os.PathLike[str], meta: TargetMeta) -> int:
    """Move the videos of all shards beside a cache into it; returns the number of videos moved.

    A video that both have is taken from the shard if its source differs. Shards that an earlier,
    killed run left are merged too; killed while merging, it can be called again.
    """
    moved = 0
    for shard in find_shards(path):
        if _is_empty(shard):  # its rank was killed before the first write
            _remove(shard)
            continue
        reader = TargetReader(shard)
        check_meta(shard, reader.meta, meta)
        new = reader.source_hash(reader.keys())
        TargetWriter(path, meta).close()  # LMDB opens a cache once: create it, read it, write it
        old = TargetReader(path).source_hash(new)
        with TargetWriter(path, meta) as writer, reading(shard, TOOL) as transaction:
            names = {encode_key(key) for key in new if old.get(key) != new[key]}
            items = ((bytes(n), value) for n, value in transaction.cursor() if bytes(n) in names)
            while batch := list(islice(items, MOVED_AT_ONCE)):
                writer.put_packed(batch)
                moved += len(batch)
        _remove(shard)
    return moved


def _is_empty(path: Path) -> bool:
    if not data_bytes(path):
        return True
    with reading(path, TOOL) as transaction:
        return not transaction.stat()['entries']
