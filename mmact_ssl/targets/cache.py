"""The target cache: a frozen teacher's targets for every frame of a data set, in one LMDB.

A cache is a folder (``data.mdb``, ``lock.mdb``). Its keys are video paths as the annotation file
writes them (of sentences: videos or classes), its values one array each, first axis = frames of
the video, see ``values.py``. The key ``__meta__`` holds a TargetMeta as JSON.

Writing is safe against a kill at any moment (a video is one transaction) and against other
processes on the same machine (LMDB's lock). It is not safe between machines that share a network
file system: there each rank writes its own shard, see :mod:`mmact_ssl.targets.rank_shards`.
Reading locks nothing, so do not train on a cache that is still being written.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import lmdb
import numpy as np

from mmact_ssl.datasets.shards import split_path
from mmact_ssl.targets.meta import TargetCacheError, TargetMeta, check_keys, check_meta, parse_meta
from mmact_ssl.targets.values import Buffer, Header, pack, unpack

TOOL = 'python tools/extract_targets.py'
RESERVED = b'__'  # begins the cache's own keys
META_KEY = RESERVED + b'meta__'
MAX_KEY_BYTES = 511  # LMDB's limit
INITIAL_MAP_BYTES = 1 << 26  # doubles when full

Result = TypeVar('Result')

# LMDB forbids opening one environment twice in a process; a reader opens it for each read.
_open_lock = threading.Lock()


class TargetWriter:
    """Write arrays into a cache, creating it or going on with one of the same teacher.

    Args:
        meta: What the cache holds. An existing cache must agree in all but ``source``.
        overwrite: Remove an existing cache first.

    Raises:
        ConfigError: No cache can hold what ``meta`` describes.
        TargetCacheError: The existing cache is damaged or of another teacher.
    """

    def __init__(
        self, path: str | os.PathLike[str], meta: TargetMeta, overwrite: bool = False
    ) -> None:
        meta.check()
        self.path = Path(path)
        self.meta = meta
        if overwrite:
            _refuse_foreign(self.path)
            remove_cache(self.path)
        if (self.path / 'data.mdb').is_file():
            with reading(self.path, TOOL) as transaction:  # refuses a damaged file
                transaction.get(META_KEY)
        self.path.mkdir(parents=True, exist_ok=True)
        map_bytes = max(INITIAL_MAP_BYTES, 2 * data_bytes(self.path))
        try:
            # LMDB writes to this file through a map, which on a full disk would end the process.
            with open(self.path / 'lock.mdb', 'ab') as lock:
                if hasattr(os, 'posix_fallocate'):
                    os.posix_fallocate(lock.fileno(), 0, 2 * mmap.PAGESIZE)
            self._environment = lmdb.open(str(self.path), map_size=map_bytes)
        except (lmdb.Error, OSError) as error:
            raise _unwritten(self.path, error) from error
        try:
            check_meta(self.path, self._transact(self._take_up), meta)
        except TargetCacheError:
            self.close()
            raise

    def __enter__(self) -> TargetWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __contains__(self, key: str) -> bool:
        return self._transact(lambda t: t.get(encode_key(key)) is not None, write=False)

    def put(self, key: str, array: np.ndarray, source_hash: str = '') -> None:
        """Store the array of one video, durably when this returns.

        Args:
            key: Path of the video, as the annotation has it.
            array: One entry a frame or clip along its first axis, see TargetMeta.
            source_hash: Of what the teacher read; kept beside it.

        Raises:
            ValueError: The array does not fit the cache's kind.
        """
        self.put_stored(key, self.meta.stored(key, array), source_hash)

    def put_stored(
        self, key: str, array: np.ndarray, source_hash: str = '', total: int | None = None
    ) -> None:
        """Store an array that ``TargetMeta.stored`` has made (see :meth:`put` and ``pack``)."""
        name = encode_key(key)
        if name.startswith(RESERVED):
            raise ValueError(f'{key} is reserved and cannot be the name of a video')
        self.put_packed([(name, pack(name, array, source_hash, total))])

    def put_packed(self, items: Sequence[tuple[bytes, Buffer]]) -> None:
        """Store values that ``pack`` has made under encoded keys, all or none."""
        self._transact(lambda transaction: [transaction.put(*item) for item in items])

    def remove(self, keys: Sequence[str]) -> None:
        """Remove videos, so that they are extracted again."""
        self._transact(lambda t: [t.delete(encode_key(key)) for key in keys])

    def close(self) -> None:
        """Close the cache; further calls do nothing."""
        self._environment.close()

    def _take_up(self, transaction: lmdb.Transaction) -> TargetMeta:
        """Read the meta data; a new cache, or one killed before it had them, gets this writer's."""
        if not transaction.stat()['entries']:
            transaction.put(META_KEY, self.meta.encode())
        return parse_meta(self.path, transaction.get(META_KEY))

    def _transact(self, work: Callable[[lmdb.Transaction], Result], write: bool = True) -> Result:
        """Run ``work`` in a transaction, growing the map as needed."""
        while True:
            try:
                with self._environment.begin(write=write, buffers=True) as transaction:
                    result = work(transaction)
                break
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()['map_size'])
            except lmdb.MapResizedError:  # by another process
                self._environment.set_mapsize(0)
            except lmdb.Error as error:
                raise _unwritten(self.path, error) from error
        # Pages that a transaction allocates last and frees again are never written, and the file
        # would look truncated to `reading`.
        needed = needed_bytes(self._environment)
        if write and data_bytes(self.path) < needed:
            os.truncate(self.path / 'data.mdb', needed)
        return result


class TargetReader:
    """Read arrays from a cache. Can be pickled, forked and held many times in one process.

    The LMDB is opened for each read (0.1 ms): a handle that lives on is unsafe after a fork and
    can exist only once in a process, while a training and a test data set share a cache.

    Args:
        fingerprint: If given, the cache must be of this teacher.
        command: Command that makes the cache, quoted in error messages.

    Raises:
        TargetCacheError: The cache is missing, damaged or stale.
    """

    def __init__(
        self, path: str | os.PathLike[str], fingerprint: str | None = None, command: str = TOOL
    ) -> None:
        self.path = Path(path)
        self.command = command
        self.meta = read_meta(self.path, command)
        if fingerprint is not None:
            check_meta(self.path, self.meta, replace(self.meta, fingerprint=fingerprint))

    def __contains__(self, key: str) -> bool:
        return bool(self._read([key], Header))

    def keys(self) -> list[str]:
        """List the videos in the cache, sorted (a name over 511 bytes appears as its hash)."""
        with reading(self.path, self.command) as transaction:
            names = [bytes(name) for name in transaction.cursor().iternext(values=False)]
        # Only damage puts anything but UTF-8 there; such a key is not found again.
        return [name.decode(errors='replace') for name in names if not name.startswith(RESERVED)]

    def source_hash(self, keys: Iterable[str]) -> dict[str, str]:
        """Map those keys that are there to the hash of their source, '' if not recorded."""
        return {key: header.source_hash for key, header in self._read(keys, Header).items()}

    def find(self, name: str) -> str:
        """Find the key of a sample by its annotated name, see :meth:`names_of`."""
        (key,) = self.lookup_all([name])
        if key is None:
            raise self._missing(name)
        return key

    def lookup_all(self, names: Sequence[str]) -> list[str | None]:
        """Find many samples' keys as :meth:`find`, or None; TargetCacheError if two share one."""
        with reading(self.path, self.command) as transaction:
            keys = [
                next((key for key in self.names_of(name) if _has(transaction, key)), None)
                for name in names
            ]
        check_keys(self.path, names, keys)
        return keys

    def names_of(self, name: str) -> list[str]:
        """Names that the key of a sample may have, by its annotated name, the first one first.

        Of a video in a shard also its name there, for a cache of the files. Of sentences also the
        ends of the name, the longest first, and those without suffix: they are often keyed by clip
        name. Elsewhere an end is the name of another video.
        """
        shard = split_path(name)
        names = [name, shard[1]] if shard else [name]
        if self.meta.kind == 'text':
            parts = PurePosixPath(name).parts
            ends = ['/'.join(parts[start:]) for start in range(len(parts))]
            names += ends
            if not PurePosixPath(name).suffix[1:].isdigit():  # clip_10.30 has none
                names += [PurePosixPath(end).with_suffix('').as_posix() for end in ends]
        return names

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of the array of one video, without reading it (see :meth:`get`)."""
        return self._read_one(key, Header).shape

    def get(self, key: str, frames: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Read the array of one video, a fresh copy in float32; of some ``frames`` or all.

        Raises:
            IndexError: A frame is beyond the end.
            TargetCacheError: The video is not in the cache, or its value is damaged.
        """
        poses = self.meta.kind == 'pose'
        return self._read_one(key, lambda name, value: unpack(name, value, frames, poses))

    def get_frames(self, name: str, frames: np.ndarray, total: int) -> np.ndarray:
        """Find a sample as :meth:`find` does and read some of its ``total`` frames, in one opening.

        Raises TargetCacheError as :meth:`get`, or where the cache has another number of frames.
        """

        def decode(key: bytes, value: Buffer) -> np.ndarray:
            there = Header(key, value).shape[0]
            if there != total:
                raise TargetCacheError(
                    f'video {name!r} has {total} frames but {there} targets in {self.path}: the '
                    f'video has changed, make the cache again with `{self.command} --overwrite`'
                )
            return unpack(key, value, frames, poses=self.meta.kind == 'pose')

        return self._read_one(name if len(self.names_of(name)) == 1 else self.find(name), decode)

    def _read_one(self, key: str, decode: Callable[[bytes, Buffer], Result]) -> Result:
        found = self._read([key], decode)
        if not found:
            raise self._missing(key)
        return found[key]

    def _read(
        self, keys: Iterable[str], decode: Callable[[bytes, Buffer], Result]
    ) -> dict[str, Result]:
        """Decode the values of those keys that are there."""
        found = {}
        with reading(self.path, self.command) as transaction:
            for key in keys:
                name = encode_key(key)
                value = transaction.get(name)
                if value is None:
                    continue
                try:
                    found[key] = decode(name, value)
                except (ValueError, KeyError, TypeError, zlib.error) as error:
                    raise TargetCacheError(
                        f'video {key!r} in the target cache {self.path} is damaged ({error}): '
                        f'take it out with `{TOOL} inspect {self.path} --verify --drop-damaged` '
                        f'and run `{self.command}`, or make all again with --overwrite'
                    ) from error
        return found

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
        'room, or correct its permissions, and go on with the same command; what is there stays'
    )


def read_meta(path: str | os.PathLike[str], command: str = TOOL) -> TargetMeta:
    """Read what a cache holds; TargetCacheError if it is missing or damaged."""
    with reading(Path(path), command) as transaction:
        return parse_meta(path, transaction.get(META_KEY))


def remove_cache(path: Path) -> None:
    """Remove a cache and nothing else that lies in its folder."""
    for name in ('data.mdb', 'lock.mdb'):
        (path / name).unlink(missing_ok=True)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def _refuse_foreign(path: Path) -> None:
    """Raise TargetCacheError for an LMDB that another program has filled; a damaged one passes."""
    is_foreign = False
    with suppress(TargetCacheError), reading(path, TOOL) as transaction:
        is_foreign = transaction.stat()['entries'] > 0 and transaction.get(META_KEY) is None
    if is_foreign:
        raise TargetCacheError(f'{path} is the database of another program: give another --out')


def broken_listing(path: str | os.PathLike[str]) -> Path:
    """Name the file beside a cache that lists the videos which extraction could not decode."""
    return Path(f'{os.fspath(path)}.broken.txt')


def read_broken(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the reason by video of those listed beside a cache."""
    listing = broken_listing(path)
    lines = listing.read_text('utf-8').splitlines() if listing.is_file() else []
    return dict(line.split('\t', 1) for line in lines if '\t' in line)


def encode_key(key: str) -> bytes:
    """Bytes of a key; of a name over 511 bytes its hash."""
    encoded = key.encode()
    if len(encoded) <= MAX_KEY_BYTES:
        return encoded
    return b'sha256:' + hashlib.sha256(encoded).hexdigest().encode()


def data_bytes(path: Path) -> int:
    """Size of the data file of a cache, 0 if there is none."""
    file = path / 'data.mdb'
    return file.stat().st_size if file.is_file() else 0


def needed_bytes(environment: lmdb.Environment) -> int:
    """Size that the data file must have at least."""
    return int((environment.info()['last_pgno'] + 1) * environment.stat()['psize'])


@contextmanager
def reading(path: Path, command: str) -> Iterator[lmdb.Transaction]:
    """Open a cache for one read, refusing a file that is shorter than LMDB believes."""
    if not (path / 'data.mdb').is_file():
        raise TargetCacheError(f'no target cache at {path}: make it with `{command}`')
    fix = f'delete it, or make it again with `{command} --overwrite`'
    with _open_lock:
        try:
            with lmdb.open(str(path), readonly=True, lock=False, create=False) as environment:
                # Reading a page beyond the end of the mapped file kills the process (SIGBUS). What
                # is needed is asked first, as a writer may make the file longer in between.
                needed, found = needed_bytes(environment), data_bytes(path)
                if found < needed:
                    raise TargetCacheError(
                        f'target cache {path} is truncated ({found} of {needed} bytes): {fix}'
                    )
                # Buffers are views of the mapped file: of a long value only what is used is read.
                try:
                    transaction = environment.begin(buffers=True)
                except lmdb.MapResizedError:  # a writer has made the file larger in between
                    environment.set_mapsize(0)
                    transaction = environment.begin(buffers=True)
                with transaction:
                    yield transaction
        except lmdb.Error as error:
            raise TargetCacheError(f'target cache {path} is damaged ({error}): {fix}') from error


def _has(transaction: lmdb.Transaction, key: str) -> bool:
    encoded = encode_key(key)
    return not encoded.startswith(RESERVED) and transaction.get(encoded) is not None
