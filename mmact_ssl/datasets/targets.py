"""The target cache: what a frozen teacher said about every frame of a data set, in one LMDB.

A cache is a folder (`data.mdb`, `lock.mdb`). Its keys are video paths as the annotation file
writes them, its values one array each, first axis = frames of the video. The key `__meta__` holds
JSON: format version, kind, layout, fingerprint of the teacher and source.

Writing is safe against a kill at any moment (a video is one transaction) and against other
processes on the same machine (LMDB's lock). It is not safe between machines that share a network
file system: there each rank writes its own shard, see :func:`shard_path` and :func:`merge_shards`.
Reading locks nothing, so do not train on a cache that is still being written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, TypeVar

import lmdb
import numpy as np

from mmact_ssl.errors import DataError

FORMAT = 1
META_KEY = '__meta__'
MAX_KEY_BYTES = 511  # LMDB's limit
INITIAL_MAP_BYTES = 1 << 26

# LMDB forbids opening one environment twice in a process; a reader opens it for each read.
_open_lock = threading.Lock()
Result = TypeVar('Result')


class TargetCacheError(DataError):
    """A target cache is missing, damaged, stale, or lacks a video."""


@dataclass(frozen=True)
class TargetMeta:
    """What a cache holds and where it came from.

    Args:
        kind: 'pose' (float32 [F, V, 3]: x, y as fractions of the frame, score 0..1) or any other
            word for arrays [F, ...].
        layout: Name of the skeleton layout (kind 'pose'), else ''.
        fingerprint: Hash of the teacher's config and weights, or of the imported file.
        source: One line for people: teacher class and files, or the imported file.
        format: Version of the cache's own format.
    """

    kind: str
    layout: str
    fingerprint: str
    source: str = ''
    format: int = FORMAT


class TargetWriter:
    """Write arrays into a cache, creating it or going on with one of the same teacher.

    Args:
        path: Folder of the cache.
        meta: What the cache holds. An existing cache must agree in all but `source`.
        overwrite: Remove an existing cache first.
        map_bytes: First size of LMDB's map; it doubles when full.

    Raises:
        TargetCacheError: The existing cache is damaged or of another teacher.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        meta: TargetMeta,
        overwrite: bool = False,
        map_bytes: int = INITIAL_MAP_BYTES,
    ) -> None:
        self.path = Path(path)
        self.meta = meta
        if overwrite:
            remove_cache(self.path)
        exists = (self.path / 'data.mdb').is_file()
        if exists:
            _check_meta(self.path, read_meta(self.path), meta)
        self.path.mkdir(parents=True, exist_ok=True)
        map_bytes = max(map_bytes, 2 * _data_bytes(self.path))
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
        return bool(self._transact(lambda t: t.get(_encode_key(key)) is not None, write=False))

    def put(self, key: str, array: np.ndarray) -> None:
        """Store the array of one video, durably when this returns.

        Args:
            key: Video path as the annotation file writes it.
            array: [F, ...], for kind 'pose' [F, V, 3] of finite numbers, stored as float32.

        Raises:
            ValueError: The array has not the shape of the cache's kind.
        """
        self.put_many({key: array})

    def put_many(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Store the arrays of several videos, all or none (see :meth:`put`)."""
        values = [(_encode_key(key), _pack(self._checked(key, arrays[key]))) for key in arrays]

        def write(transaction: lmdb.Transaction) -> None:
            for key, value in values:
                transaction.put(key, value)

        self._transact(write, write=True)
        # Pages that a transaction allocates last and frees again are never written, and the file
        # would look truncated to `_reading`.
        needed = _needed_bytes(self._environment)
        if _data_bytes(self.path) < needed:
            os.truncate(self.path / 'data.mdb', needed)

    def _checked(self, key: str, array: np.ndarray) -> np.ndarray:
        if key == META_KEY:
            raise ValueError(f'{META_KEY} is reserved and cannot be the name of a video')
        if self.meta.kind != 'pose':
            return np.asarray(array)
        array = np.ascontiguousarray(array, dtype=np.float32)
        if array.ndim != 3 or array.shape[2] != 3 or not len(array):
            raise ValueError(f'{key}: a pose target is [F, V, 3], got {list(array.shape)}')
        if not np.isfinite(array).all():
            raise ValueError(f'{key}: a pose target must be finite; mark unknown by score 0')
        return array

    def close(self) -> None:
        """Close the cache; further calls do nothing."""
        self._environment.close()

    def _claim(self) -> None:
        """Write the meta data, or check those of a writer that was quicker."""
        value = json.dumps(asdict(self.meta), sort_keys=True).encode()

        def write(transaction: lmdb.Transaction) -> bytes:
            transaction.put(META_KEY.encode(), value, overwrite=False)
            return bytes(transaction.get(META_KEY.encode()) or b'')

        _check_meta(self.path, _parse_meta(self.path, self._transact(write, True)), self.meta)

    def _transact(self, work: Callable[[lmdb.Transaction], Result], write: bool) -> Result:
        """Run `work` in a transaction, growing the map as needed."""
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
        command: str = 'python tools/extract_targets.py',
    ) -> None:
        self.path = Path(path)
        self.command = command
        self.meta = read_meta(self.path, command)
        if fingerprint is not None and fingerprint != self.meta.fingerprint:
            raise _stale(self.path, 'teacher', self.meta.fingerprint[:12], fingerprint[:12])

    def __len__(self) -> int:
        with _reading(self.path, self.command) as transaction:
            return int(transaction.stat()['entries']) - 1

    def __contains__(self, key: str) -> bool:
        with _reading(self.path, self.command) as transaction:
            return transaction.get(_encode_key(key)) is not None

    def keys(self) -> list[str]:
        """List the videos in the cache, sorted (a name over 511 bytes appears as its hash)."""
        with _reading(self.path, self.command) as transaction:
            names = [bytes(name).decode() for name in transaction.cursor().iternext(values=False)]
        return [name for name in names if name != META_KEY]

    def find(self, filename: str) -> str:
        """Find the key of a video file: the longest end of its path that is a key.

        Data sets join the annotation's relative path to a data root; the cache knows the former.

        Raises:
            TargetCacheError: No end of the path is a key.
        """
        parts = Path(filename).parts
        names = ['/'.join(parts[start:]) for start in range(len(parts))]
        with _reading(self.path, self.command) as transaction:
            for name in (filename, *names):
                if name != META_KEY and transaction.get(_encode_key(name)) is not None:
                    return name
        raise self._missing(filename)

    def get(self, key: str) -> np.ndarray:
        """Read the array of one video, a fresh copy.

        Raises:
            TargetCacheError: The video is not in the cache, or its value is damaged.
        """
        with _reading(self.path, self.command) as transaction:
            value = transaction.get(_encode_key(key))
        if value is None:
            raise self._missing(key)
        try:
            return _unpack(bytes(value))
        except ValueError as error:
            raise TargetCacheError(
                f'video {key!r} in the target cache {self.path} is damaged ({error}): '
                f'make it again with `{self.command} --overwrite`'
            ) from error

    def _missing(self, key: str) -> TargetCacheError:
        return TargetCacheError(
            f'video {key!r} is not in the target cache {self.path}: complete it with '
            f'`{self.command}` (videos already there are skipped)'
        )


def read_meta(
    path: str | os.PathLike[str], command: str = 'python tools/extract_targets.py'
) -> TargetMeta:
    """Read what a cache holds.

    Raises:
        TargetCacheError: The cache is missing or damaged.
    """
    with _reading(Path(path), command) as transaction:
        value = transaction.get(META_KEY.encode())
    return _parse_meta(Path(path), None if value is None else bytes(value))


def remove_cache(path: Path) -> None:
    """Remove a cache and nothing else that lies in its folder."""
    for name in ('data.mdb', 'lock.mdb'):
        (path / name).unlink(missing_ok=True)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def shard_path(path: str | os.PathLike[str], rank: int) -> Path:
    """Name the shard that one rank writes, e.g. `pose.lmdb.rank0`."""
    return Path(f'{os.fspath(path)}.rank{rank}')


def merge_shards(path: str | os.PathLike[str], meta: TargetMeta) -> int:
    """Move the videos of all shards beside a cache into it and remove the shards.

    Shards that an earlier, killed run left are merged too; killed while merging, it can be called
    again.

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
            keys = reader.keys()
            for key in keys:
                if key not in writer:
                    writer.put(key, reader.get(key))
                    moved += 1
            shutil.rmtree(shard)
    return moved


@contextmanager
def _reading(path: Path, command: str) -> Iterator[lmdb.Transaction]:
    """Open a cache for one read, refusing a file that is shorter than LMDB believes.

    Raises:
        TargetCacheError: Missing or damaged.
    """
    if not (path / 'data.mdb').is_file():
        raise TargetCacheError(f'no target cache at {path}: make it with `{command}`')
    mend = f'delete it, or make it again with `{command} --overwrite`'
    with _open_lock:
        try:
            environment = lmdb.open(str(path), readonly=True, lock=False, create=False)
        except lmdb.Error as error:
            raise TargetCacheError(
                f'target cache {path} cannot be read ({error}): {mend}'
            ) from error
        with environment:
            # Reading a page beyond the end of the mapped file kills the process (SIGBUS).
            found, needed = _data_bytes(path), _needed_bytes(environment)
            if found < needed:
                raise TargetCacheError(
                    f'target cache {path} is truncated ({found} of {needed} bytes): {mend}'
                )
            with environment.begin() as transaction:
                yield transaction


def _needed_bytes(environment: lmdb.Environment) -> int:
    return int((environment.info()['last_pgno'] + 1) * environment.stat()['psize'])


def _data_bytes(path: Path) -> int:
    file = path / 'data.mdb'
    return file.stat().st_size if file.is_file() else 0


def _parse_meta(path: Path, value: bytes | None) -> TargetMeta:
    fields = None if value is None else json.loads(value)
    if fields is None or fields.get('format') != FORMAT:
        found = 'no meta data' if fields is None else f'format {fields.get("format")}'
        raise TargetCacheError(
            f'target cache {path} has {found}, this version reads format {FORMAT}: '
            'make it again with --overwrite'
        )
    return TargetMeta(**fields)


def _check_meta(path: Path, found: TargetMeta, wanted: TargetMeta) -> None:
    """Compare all that decides the values; the source is for people."""
    for name, label in (('fingerprint', 'teacher'), ('layout', 'layout'), ('kind', 'kind')):
        old, new = getattr(found, name), getattr(wanted, name)
        if old != new:
            raise _stale(path, label, old[:12], new[:12])


def _stale(path: Path, what: str, found: str, wanted: str) -> TargetCacheError:
    return TargetCacheError(
        f'target cache {path} is stale: its {what} is {found}, wanted {wanted}. Make it again with '
        '`python tools/extract_targets.py ... --overwrite`, or name another --out'
    )


def _encode_key(key: str) -> bytes:
    encoded = key.encode()
    if len(encoded) <= MAX_KEY_BYTES:
        return encoded
    return b'sha256:' + hashlib.sha256(encoded).hexdigest().encode()


def _pack(array: np.ndarray) -> bytes:
    """Serialise as a CRC-32 (4 bytes) and a `.npy` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    data = buffer.getvalue()
    return zlib.crc32(data).to_bytes(4, 'little') + data


def _unpack(value: bytes) -> np.ndarray:
    """Undo :func:`_pack`.

    Raises:
        ValueError: The checksum differs.
    """
    if zlib.crc32(value[4:]) != int.from_bytes(value[:4], 'little'):
        raise ValueError('wrong checksum')
    return np.lib.format.read_array(io.BytesIO(value[4:]), allow_pickle=False)
