"""The target cache: what a frozen teacher said about every frame of a data set, in one LMDB.

A cache is a folder (``data.mdb``, ``lock.mdb``). Its keys are video paths as the annotation file
writes them (of sentences: videos or classes), its values one array each, first axis = frames of
the video, see ``target_values.py``. The key ``__meta__`` holds a TargetMeta as JSON; of values that
tell what they were made of (sentences) a record lies beside each, see ``record_key``.

Writing is safe against a kill at any moment (a video is one transaction) and against other
processes on the same machine (LMDB's lock). It is not safe between machines that share a network
file system: there each rank writes its own shard, see :func:`shard_path` and :func:`merge_shards`.
Reading locks nothing, so do not train on a cache that is still being written.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, TypeVar

import lmdb
import numpy as np

from mmact_ssl.targets.file import (
    META_KEY,
    TOOL,
    data_bytes,
    encode_key,
    find_key,
    is_reserved,
    needed_bytes,
    read_record,
    reading,
    record_key,
    remove_cache,
)
from mmact_ssl.targets.meta import (
    TargetCacheError,
    TargetMeta,
    check_meta,
    parse_meta,
    stale,
)
from mmact_ssl.targets.values import (
    Buffer,
    pack,
    pack_format_1,
    read_raw,
    read_shape,
    unpack,
    unpack_format_1,
)

__all__ = [
    'TargetCacheError',
    'TargetMeta',
    'TargetReader',
    'TargetWriter',
    'merge_shards',
    'read_meta',
    'remove_cache',
    'shard_path',
]

MAX_META_BYTES = 1 << 16
INITIAL_MAP_BYTES = 1 << 26

Result = TypeVar('Result')


class TargetWriter:
    """Write arrays into a cache, creating it or going on with one of the same teacher.

    Args:
        path: Folder of the cache.
        meta: What the cache holds. An existing cache must agree in all but ``source`` and
            ``format``; it goes on in the format that it was begun in.
        overwrite: Remove an existing cache first.
        map_bytes: First size of LMDB's map; it doubles when full.

    Raises:
        ConfigError: No cache can hold what ``meta`` says.
        TargetCacheError: The existing cache is damaged or of another teacher.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        meta: TargetMeta,
        overwrite: bool = False,
        map_bytes: int = INITIAL_MAP_BYTES,
    ) -> None:
        meta.check()
        self.path = Path(path)
        self.meta = meta
        if overwrite:
            remove_cache(self.path)
        # One without entries was left by a writer that was killed before it wrote its meta data.
        if (self.path / 'data.mdb').is_file() and _num_entries(self.path):
            check_meta(self.path, read_meta(self.path), meta)
        self.path.mkdir(parents=True, exist_ok=True)
        map_bytes = max(map_bytes, 2 * data_bytes(self.path))
        self._environment = lmdb.open(str(self.path), map_size=map_bytes)
        try:
            self._claim()
        except TargetCacheError:
            self.close()
            raise

    def __enter__(self) -> TargetWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __contains__(self, key: str) -> bool:
        return bool(self._transact(lambda t: t.get(encode_key(key)) is not None, write=False))

    def put(self, key: str, array: np.ndarray) -> None:
        """Store the array of one video, durably when this returns.

        Args:
            key: Video path as the annotation file writes it.
            array: Finite numbers, of the shape and range of the cache's kind (see TargetMeta).

        Raises:
            ValueError: The array is another.
        """
        self.put_many({key: array})

    def put_many(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Store the arrays of several videos, all or none (see :meth:`put`)."""
        stored = {key: self.meta.stored(key, array) for key, array in arrays.items()}
        entries: dict[bytes, bytes | None] = {}
        for key in stored:
            entries.update(self._entry(key, stored[key]))
        self._store(entries)

    def put_stored(self, key: str, array: np.ndarray, source_hash: str = '') -> None:
        """Store the array of one video that ``TargetMeta.stored`` has made.

        ``source_hash``, e.g. a hash of what the teacher was given, is recorded in the same
        transaction.
        """
        self._store(self._entry(key, array, source_hash))

    def source_hash(self, key: str) -> str | None:
        """What the value of a key was made of, '' if that is not on record; None: no value."""
        return self._transact(lambda transaction: read_record(transaction, key), write=False)

    def copy(self, key: str, reader: TargetReader) -> None:
        """Store what another cache of the same teacher has of a video, as it lies there."""
        source_hash = reader.source_hash([key]).get(key, '')
        if reader.meta.format == self.meta.format:
            value = reader._read(key, read_raw)
            self._store(_with_record(encode_key(key), value, source_hash))
        else:
            self.put_stored(key, self.meta.stored(key, reader.get(key)), source_hash)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove videos, so that they are extracted again."""
        names = [encode_key(key) for key in keys]
        self._store(dict.fromkeys([*names, *map(record_key, names)]))

    def _entry(
        self, key: str, array: np.ndarray, source_hash: str = ''
    ) -> dict[bytes, bytes | None]:
        name = encode_key(key)
        if is_reserved(name):
            raise ValueError(f'{key} is reserved and cannot be the name of a video')
        value = pack_format_1(array) if self.meta.format == 1 else pack(name, array)
        return _with_record(name, value, source_hash)

    def _store(self, values: Mapping[bytes, bytes | None]) -> None:
        """Store all in one transaction; None removes."""

        def write(transaction: lmdb.Transaction) -> None:
            for key, value in values.items():
                if value is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, value)

        self._transact(write, write=True)
        self._fill_file()

    def _fill_file(self) -> None:
        # Pages that a transaction allocates last and frees again are never written, and the file
        # would look truncated to `reading`.
        needed = needed_bytes(self._environment)
        if data_bytes(self.path) < needed:
            os.truncate(self.path / 'data.mdb', needed)

    def close(self) -> None:
        """Close the cache; further calls do nothing."""
        self._environment.close()

    def _claim(self) -> None:
        """Write the meta data, or check those of a writer that was quicker."""
        value = self.meta.encode()

        def write(transaction: lmdb.Transaction) -> bytes:
            transaction.put(META_KEY.encode(), value, overwrite=False)
            return bytes(transaction.get(META_KEY.encode()) or b'')

        found = parse_meta(self.path, self._transact(write, True))
        check_meta(self.path, found, self.meta)
        self.meta = replace(self.meta, format=found.format)

    def _transact(self, work: Callable[[lmdb.Transaction], Result], write: bool) -> Result:
        """Run ``work`` in a transaction, growing the map as needed."""
        while True:
            try:
                with self._environment.begin(write=write) as transaction:
                    return work(transaction)
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()['map_size'])
            except lmdb.MapResizedError:  # by another process
                self._environment.set_mapsize(0)


class TargetReader:
    """Read arrays from a cache. Can be pickled, forked and held many times in one process.

    The LMDB is opened for each read (0.1 ms): a handle that lives on is unsafe after a fork and
    can exist only once in a process, while a training and a test data set share a cache.

    Args:
        path: Folder of the cache.
        fingerprint: If given, the cache must be of this teacher.
        command: Command that makes the cache, quoted in error messages.

    Raises:
        TargetCacheError: The cache is missing, damaged or stale.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fingerprint: str | None = None,
        command: str = TOOL,
    ) -> None:
        self.path = Path(path)
        self.command = command
        self.meta = read_meta(self.path, command)
        if fingerprint is not None and fingerprint != self.meta.fingerprint:
            raise stale(self.path, 'teacher', self.meta.fingerprint, fingerprint)

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: str) -> bool:
        with reading(self.path, self.command) as transaction:
            return transaction.get(encode_key(key)) is not None

    def keys(self) -> list[str]:
        """List the videos in the cache, sorted (a name over 511 bytes appears as its hash)."""
        with reading(self.path, self.command) as transaction:
            names = [bytes(name) for name in transaction.cursor().iternext(values=False)]
        # Only damage puts anything but UTF-8 there; such a key is not found again.
        return [name.decode(errors='replace') for name in names if not is_reserved(name)]

    def source_hash(self, keys: Iterable[str]) -> dict[str, str]:
        """What the values of those keys that are there were made of, '' if not on record."""
        with reading(self.path, self.command) as transaction:
            found = {key: read_record(transaction, key) for key in keys}
        return {key: source_hash for key, source_hash in found.items() if source_hash is not None}

    def find(self, filename: str) -> str:
        """Find the key of a video file: the longest end of its path that is a key.

        Data sets join the annotation's relative path to a data root; the cache knows the former.
        Ends without the file's suffix are tried last, as sentences are often keyed by clip name.

        Raises:
            TargetCacheError: No end of the path is a key.
        """
        name = self.lookup(filename)
        if name is None:
            raise self._missing(filename)
        return name

    def lookup(self, filename: str) -> str | None:
        """Find the key of a video file as :meth:`find` does; None where there is none."""
        return self.lookup_all([filename])[0]

    def lookup_all(self, filenames: Sequence[str]) -> list[str | None]:
        """Find the keys of many video files in one transaction (see :meth:`lookup`)."""
        with reading(self.path, self.command) as transaction:
            return [find_key(transaction, filename) for filename in filenames]

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of the array of one video, without reading it (see :meth:`get`)."""
        if self.meta.format == 1:
            return self.get(key).shape
        return self._read(key, read_shape)

    def get(self, key: str, frames: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Read the array of one video, a fresh copy in float32.

        Args:
            key: Video path as the annotation file writes it.
            frames: Indices along the first axis; only what they need is read. None: all.

        Raises:
            IndexError: A frame is beyond the end.
            TargetCacheError: The video is not in the cache, or its value is damaged.
        """
        if self.meta.format == 1:
            array = self._read(key, lambda _, value: unpack_format_1(value))
            return array if frames is None else array[np.asarray(frames)]
        return self._read(key, lambda name, value: unpack(name, value, frames))

    def _read(self, key: str, read: Callable[[bytes, Buffer], Result]) -> Result:
        name = encode_key(key)
        with reading(self.path, self.command) as transaction:
            value = transaction.get(name)
            if value is None:
                raise self._missing(key)
            try:
                return read(name, value)
            except (ValueError, KeyError, TypeError, zlib.error) as error:
                raise TargetCacheError(
                    f'video {key!r} in the target cache {self.path} is damaged ({error}): take it '
                    f'out with `{TOOL} inspect {self.path} --verify --drop-damaged` and run '
                    f'`{self.command}`, or make all again with --overwrite'
                ) from error

    def _missing(self, key: str) -> TargetCacheError:
        return TargetCacheError(
            f'video {key!r} is not in the target cache {self.path}: complete it with '
            f'`{self.command}` (videos already there are skipped)'
        )


def _with_record(name: bytes, value: bytes, source_hash: str) -> dict[bytes, bytes | None]:
    # The record of a value that this one replaces must not outlive it.
    return {name: value, record_key(name): source_hash.encode() or None}


def _num_entries(path: Path) -> int:
    with reading(path, TOOL) as transaction:
        return int(transaction.stat()['entries'])


def read_meta(path: str | os.PathLike[str], command: str = TOOL) -> TargetMeta:
    """Read what a cache holds.

    Raises:
        TargetCacheError: The cache is missing or damaged.
    """
    with reading(Path(path), command) as transaction:
        value = transaction.get(META_KEY.encode())
        # A damaged size must not make us read beyond the file.
        found = None if value is None else bytes(value[:MAX_META_BYTES])
    return parse_meta(path, found)


def shard_path(path: str | os.PathLike[str], rank: int) -> Path:
    """Name the shard that one rank writes, e.g. ``pose.lmdb.rank0``."""
    return Path(f'{os.fspath(path)}.rank{rank}')


def merge_shards(path: str | os.PathLike[str], meta: TargetMeta) -> int:
    """Move the videos of all shards beside a cache into it and remove the shards.

    Of a video that both have, the shard's is taken if it was made of something else. Shards that an
    earlier, killed run left are merged too; killed while merging, it can be called again.

    Returns:
        Number of videos moved.
    """
    path = Path(path)
    shards = sorted(path.parent.glob(f'{path.name}.rank*'))
    if not shards:
        return 0
    moved = 0
    with TargetWriter(path, meta) as writer:
        for shard in shards:
            reader = TargetReader(shard, meta.fingerprint)
            check_meta(shard, reader.meta, meta)
            source_hash = reader.source_hash(reader.keys())
            for key in sorted(set(reader.keys())):
                if writer.source_hash(key) != source_hash.get(key, ''):
                    writer.copy(key, reader)
                    moved += 1
            shutil.rmtree(shard)
    return moved
