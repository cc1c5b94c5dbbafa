"""Shards of a target cache: each rank of an extraction writes one, and rank 0 merges them."""

from __future__ import annotations

import glob
import os
from itertools import islice
from pathlib import Path

from mmact_ssl.targets.cache import (
    TOOL,
    TargetReader,
    TargetWriter,
    data_bytes,
    encode_key,
    read_transaction,
    remove_cache,
)
from mmact_ssl.targets.meta import TargetCacheError, TargetMeta, check_meta

MARK = 'shard_of_targets'  # file in the folder of each shard
MOVED_AT_ONCE = 100  # videos in a transaction of a merge; each transaction waits for the disk


def make_shard(path: str | os.PathLike[str], rank: int) -> Path:
    """Make and mark the folder of a rank's shard, such as ``pose.lmdb.rank0``."""
    shard = Path(f'{os.fspath(path)}.rank{rank}')
    if data_bytes(shard) and not (shard / MARK).is_file():
        raise TargetCacheError(f'{shard} does not belong to an extraction: move it away')
    shard.mkdir(parents=True, exist_ok=True)
    (shard / MARK).touch()
    return shard


def find_shards(path: str | os.PathLike[str]) -> list[Path]:
    """Shards beside a cache; folders without the mark are ignored."""
    path = Path(path)
    return sorted(
        shard
        for shard in path.parent.glob(f'{glob.escape(path.name)}.rank*')
        if (shard / MARK).is_file()
    )


def remove_shards(path: str | os.PathLike[str]) -> None:
    """Remove the shards beside a cache, but no other files in their folders."""
    for shard in find_shards(path):
        _remove(shard)


def _remove(shard: Path) -> None:
    remove_cache(shard)
    (shard / MARK).unlink()  # last, so that a killed removal can be repeated
    if not any(shard.iterdir()):
        shard.rmdir()


def merge_shards(path: str | os.PathLike[str], meta: TargetMeta) -> int:
    """Move the videos of all shards beside a cache into it, and return their number.

    A video that is in both is replaced if its source differs. Shards of an earlier, killed run are
    merged too. A killed merge can be repeated.
    """
    moved = 0
    for shard in find_shards(path):
        if _is_empty(shard):  # its rank was killed before the first write
            _remove(shard)
            continue
        reader = TargetReader(shard)
        check_meta(shard, reader.meta, meta)
        new = reader.source_hashes(reader.keys())
        TargetWriter(path, meta).close()  # LMDB opens a cache once: create it, read it, write it
        old = TargetReader(path).source_hashes(new)
        with TargetWriter(path, meta) as writer, read_transaction(shard, TOOL) as transaction:
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
    with read_transaction(path, TOOL) as transaction:
        return not transaction.stat()['entries']
