"""Target cache: a frozen teacher's targets for every frame of a data set, in one LMDB.

A cache is a folder (``data.mdb``, ``lock.mdb``). Its keys are the annotated names of the videos. A
value is an array whose first axis is the video's frames, or the sentences about it, see
``values.py``. The key ``__meta__`` has a TargetMeta as JSON.

A kill at any moment leaves each video whole or absent: it is in one transaction. A cache has one
writer at a time; each rank of an extraction has a shard, see :mod:`mmact_ssl.targets.rank_shards`.
Readers lock nothing in the file, so do not train on a cache that is still being written.
"""

from __future__ import annotations

import mmap
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb
import numpy as np

from mmact_ssl.datasets.shards import split_path
from mmact_ssl.io.files import sha256_of
from mmact_ssl.targets.meta import TargetCacheError, TargetMeta, check_meta, check_unit, parse_meta
from mmact_ssl.targets.values import Buffer, Header, is_current, pack, unpack

TOOL = 'mmact-ssl extract'
RESERVED = b'__'  # start of the cache's own keys
META_KEY = RESERVED + b'meta__'
MAX_KEY_BYTES = 511  # LMDB's limit
INITIAL_MAP_BYTES = 1 << 26  # doubles when full

Result = TypeVar('Result')

# LMDB forbids opening an environment twice in a process; a reader opens it for each read.
_open_lock = threading.Lock()


class TargetWriter:
    """Writer of arrays into a new cache, or into an existing one of the same teacher.

    Args:
        meta: Meta data of the cache. An existing cache may differ only in ``source``.
        overwrite: Remove an existing cache first.

    Raises:
        ConfigError: ``meta`` is invalid, see TargetMeta.check.
        TargetCacheError: The existing cache is damaged or of another teacher.
    """

    def __init__(
        self, path: str | os.PathLike[str], meta: TargetMeta, overwrite: bool = False
    ) -> None:
        meta.check()
        self.path = Path(path)
        self.meta = meta
        if overwrite:
            remove_cache(self.path)
        if (self.path / 'data.mdb').is_file():
            with read_transaction(self.path, TOOL) as transaction:  # refuses a damaged file
                transaction.get(META_KEY)
        self.path.mkdir(parents=True, exist_ok=True)
        map_bytes = max(INITIAL_MAP_BYTES, 2 * data_bytes(self.path))
        try:
            # LMDB writes to this file through a map: on a full disk that would end the process.
            with open(self.path / 'lock.mdb', 'ab') as lock:
                os.posix_fallocate(lock.fileno(), 0, 2 * mmap.PAGESIZE)
            self._environment = lmdb.open(str(self.path), map_size=map_bytes)
        except (lmdb.Error, OSError) as error:
            raise _unwritten(self.path, error) from error
        try:
            check_meta(self.path, self._transact(self._read_or_create_meta), meta)
        except TargetCacheError:
            self.close()
            raise

    def __enter__(self) -> TargetWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __contains__(self, key: str) -> bool:
        return self._transact(lambda t: t.get(encode_key(key)) is not None, write=False)

    def put(
        self, key: str, array: np.ndarray, source_hash: str = '', total: int | None = None
    ) -> None:
        """Store the array of a video on disk.

        Args:
            key: Path of the video as in the annotation.
            array: An entry for each frame or clip along the first axis, see TargetMeta.
            source_hash: Hash of the video or sentences, stored with the array, see
                :func:`is_current`.
            total: Number of frames of the video, if the array has entries of some, see ``pack``.

        Raises:
            ValueError: The array does not fit the cache's kind.
        """
        name = encode_key(key)
        if name.startswith(RESERVED):
            raise ValueError(f'{key} is reserved and cannot be the name of a video')
        array = self.meta.checked(key, array)
        if self.meta.kind == 'pose':  # an imported table may be in pixels
            check_unit(key, array)
        self.put_packed([(name, pack(name, array, source_hash, total))])

    def put_packed(self, items: Sequence[tuple[bytes, Buffer]]) -> None:
        """Store (encoded key, value of ``pack``) pairs, all or none."""
        self._transact(lambda transaction: transaction.cursor().putmulti(items))

    def remove(self, keys: Sequence[str]) -> None:
        """Remove videos, so that they are extracted again."""

        def delete_all(transaction: lmdb.Transaction) -> None:
            for key in keys:
                transaction.delete(encode_key(key))

        self._transact(delete_all)

    def close(self) -> None:
        """Close the cache; further calls do nothing."""
        self._environment.close()

    def _read_or_create_meta(self, transaction: lmdb.Transaction) -> TargetMeta:
        """Read the meta data; an empty cache gets the writer's."""
        if not transaction.stat()['entries']:
            transaction.put(META_KEY, self.meta.encode())
        return parse_meta(self.path, transaction.get(META_KEY))

    def _transact(
        self, operation: Callable[[lmdb.Transaction], Result], write: bool = True
    ) -> Result:
        """Run ``operation`` in a transaction, growing the map as needed."""
        while True:
            try:
                with self._environment.begin(write=write, buffers=True) as transaction:
                    result = operation(transaction)
                break
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()['map_size'])
            except lmdb.Error as error:
                raise _unwritten(self.path, error) from error
        # LMDB never writes the pages that a transaction allocates last and frees again. The file
        # would lack them, and look truncated to :func:`read_transaction`.
        if write and data_bytes(self.path) < (needed := needed_bytes(self._environment)):
            with open(self.path / 'data.mdb', 'r+b') as file:
                os.posix_fallocate(file.fileno(), 0, needed)
        return result


class TargetReader:
    """Reader of a cache. It can be pickled and forked, and a process may have several of a cache.

    It opens the LMDB for each read (0.1 ms). An open handle would be unsafe after a fork, and a
    process can have only one, but a training and a test data set may share a cache.

    Args:
        command: Command that makes the cache, for error messages.

    Raises:
        TargetCacheError: The cache is missing or damaged.
    """

    def __init__(self, path: str | os.PathLike[str], command: str = TOOL) -> None:
        self.path = Path(path)
        self.command = command
        self.meta = read_meta(self.path, command)

    def keys(self) -> list[str]:
        """List the videos in the cache, sorted; a name over 511 bytes is listed as its hash."""
        with read_transaction(self.path, self.command) as transaction:
            names = [bytes(name) for name in transaction.cursor().iternext(values=False)]
        # Only a damaged key is not UTF-8; it cannot be read again.
        return [name.decode(errors='replace') for name in names if not name.startswith(RESERVED)]

    def source_hashes(self, keys: Iterable[str]) -> dict[str, str]:
        """Return {key: hash of its source, '' if not recorded} of the keys in the cache."""
        return {key: header.source_hash for key, header in self._read(keys, Header).items()}

    def find(self, name: str) -> str:
        """Find the key of a sample by its annotated name, see :func:`names_of`."""
        (key,) = self.lookup_all([name])
        if key is None:
            raise self._missing(name)
        return key

    def lookup_all(self, names: Sequence[str]) -> list[str | None]:
        """Find the keys of many samples, None if missing."""
        with read_transaction(self.path, self.command) as transaction:
            return [next((k for k in names_of(n) if _has(transaction, k)), None) for n in names]

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of a video's array (see :meth:`get`), from its header."""
        return self._read_one(key, Header).shape

    def get(self, key: str, frames: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Read a video's array, or some ``frames`` of it, as a new float32 array.

        Raises:
            IndexError: A frame is out of range.
            TargetCacheError: The video is not in the cache, or its value is damaged.
        """
        return self._read_one(key, lambda name, value: self._unpack(name, value, frames))

    def get_frames(
        self, name: str, frames: np.ndarray, total: int, source_hash: str = ''
    ) -> np.ndarray:
        """Read some of the ``total`` frames of a sample by its annotated name.

        Args:
            source_hash: Hash of the video as it is now; '' if it is not known.

        Raises:
            TargetCacheError: As for :meth:`get`, or the targets are of another video.
        """

        def decode(key: bytes, value: Buffer) -> np.ndarray:
            header = Header(key, value)
            if header.shape[0] != total or not is_current(header.source_hash, source_hash):
                raise TargetCacheError(
                    f'video {name!r} has {total} frames, and its {header.shape[0]} targets in '
                    f'{self.path} are of another video: the video has changed, run '
                    f'`{self.command}`, for an older cache with --overwrite'
                )
            return self._unpack(key, value, frames)

        # Only a video in a shard may have another key, which costs a search.
        return self._read_one(name if len(names_of(name)) == 1 else self.find(name), decode)

    def _unpack(self, key: bytes, value: Buffer, frames: Any) -> np.ndarray:
        array = unpack(key, value, frames, poses=self.meta.kind == 'pose')
        return self.meta.checked(key.decode(errors='replace'), array)

    def _read_one(self, key: str, decode: Callable[[bytes, Buffer], Result]) -> Result:
        values = self._read([key], decode)
        if not values:
            raise self._missing(key)
        return values[key]

    def _read(
        self, keys: Iterable[str], decode: Callable[[bytes, Buffer], Result]
    ) -> dict[str, Result]:
        """Decode the values of the keys that are in the cache."""
        values = {}
        with read_transaction(self.path, self.command) as transaction:
            for key in keys:
                name = encode_key(key)
                if (value := transaction.get(name)) is None:
                    continue
                try:
                    values[key] = decode(name, value)
                except (ValueError, RecursionError, zlib.error) as error:
                    raise TargetCacheError(
                        f'video {key!r} in the target cache {self.path} is damaged ({error}): '
                        f'make it again with `{self.command} --overwrite`'
                    ) from error
        return values

    def _missing(self, key: str) -> TargetCacheError:
        return TargetCacheError(
            f'video {key!r} is not in the target cache {self.path}, whose first keys are '
            f'{self.keys()[:2]}: complete it from the same source '
            f'({self.meta.source or "unknown"}), with `{self.command}` or the command that made it '
            '(videos already there are skipped)'
        )


def _unwritten(path: Path, error: Exception) -> TargetCacheError:
    free = shutil.disk_usage(path).free / 1e6
    return TargetCacheError(
        f'target cache {path} cannot be written ({error}; its disk has {free:.0f} MB left): make '
        'room, or correct its permissions, and repeat the command; stored targets stay'
    )


def read_meta(path: str | os.PathLike[str], command: str = TOOL) -> TargetMeta:
    """Read the meta data of a cache; TargetCacheError if it is missing or damaged."""
    with read_transaction(Path(path), command) as transaction:
        return parse_meta(path, transaction.get(META_KEY))


def remove_cache(path: Path) -> None:
    """Remove a cache, but no other files in its folder."""
    for name in ('data.mdb', 'lock.mdb'):
        (path / name).unlink(missing_ok=True)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def names_of(name: str) -> list[str]:
    """Keys of a sample: its annotated name; for a video in a shard then its name in the shard.

    The cache may be of the files that the shards were made from.
    """
    shard = split_path(name)
    return [name, shard[1]] if shard else [name]


def encode_key(key: str) -> bytes:
    """Bytes of a key: its name, or the hash of a name over 511 bytes."""
    name = key.encode()
    return name if len(name) <= MAX_KEY_BYTES else f'sha256:{sha256_of(key)}'.encode()


def data_bytes(path: Path) -> int:
    """Size of a cache's data file; 0 without one."""
    file = path / 'data.mdb'
    return file.stat().st_size if file.is_file() else 0


def needed_bytes(environment: lmdb.Environment) -> int:
    """Smallest valid size of the data file."""
    return int((environment.info()['last_pgno'] + 1) * environment.stat()['psize'])


@contextmanager
def read_transaction(path: Path, command: str) -> Iterator[lmdb.Transaction]:
    """Open a cache for a read; do not nest. Refuses a file that is shorter than LMDB assumes."""
    if not (path / 'data.mdb').is_file():
        raise TargetCacheError(f'no target cache at {path}: make it with `{command}`')
    fix = f'delete it, or make it again with `{command} --overwrite`'
    with _open_lock:
        try:
            with lmdb.open(str(path), readonly=True, lock=False, create=False) as environment:
                # Reading a page beyond the end of the mapped file kills the process (SIGBUS). The
                # needed size comes first, because a writer may extend the file in between.
                if (needed := needed_bytes(environment)) > (size := data_bytes(path)):
                    raise TargetCacheError(
                        f'target cache {path} is truncated ({size} of {needed} bytes): {fix}'
                    )
                # Buffers are views of the mapped file: only the used part of a value is read.
                with environment.begin(buffers=True) as transaction:
                    yield transaction
        except lmdb.Error as error:
            raise TargetCacheError(f'target cache {path} is damaged ({error}): {fix}') from error


def _has(transaction: lmdb.Transaction, key: str) -> bool:
    encoded = encode_key(key)
    return not encoded.startswith(RESERVED) and transaction.get(encoded) is not None
