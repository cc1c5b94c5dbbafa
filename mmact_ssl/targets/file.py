"""The file of a target cache: keys as LMDB takes them, and opening it for one read."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import lmdb

from mmact_ssl.targets.meta import TargetCacheError

TOOL = 'python tools/extract_targets.py'
META_KEY = '__meta__'
# Begins the names of the records of what values were made of.
RECORD = '__source_hash__:'
MAX_KEY_BYTES = 511  # LMDB's limit

# LMDB forbids opening one environment twice in a process; a reader opens it for each read.
_open_lock = threading.Lock()


def encode_key(key: str) -> bytes:
    """Bytes of a key; of a name over 511 bytes its hash."""
    encoded = key.encode()
    if len(encoded) <= MAX_KEY_BYTES:
        return encoded
    return b'sha256:' + hashlib.sha256(encoded).hexdigest().encode()


def record_key(name: bytes) -> bytes:
    """Bytes that the record beside a value is kept under, of the bytes of its key."""
    # A hash, as a long key has no room for what begins the name.
    return f'{RECORD}{hashlib.sha256(name).hexdigest()}'.encode()


def is_reserved(name: bytes) -> bool:
    """Whether the bytes of a key are the cache's own and no video's."""
    return name == META_KEY.encode() or name.startswith(RECORD.encode())


def find_key(transaction: lmdb.Transaction, filename: str) -> str | None:
    """Find the key of a video file, see ``TargetReader.find``."""
    parts = Path(filename).parts
    names = [filename, *('/'.join(parts[start:]) for start in range(len(parts)))]
    names += [PurePosixPath(name).with_suffix('').as_posix() for name in names[1:]]
    return next((name for name in names if _has(transaction, encode_key(name))), None)


def read_record(transaction: lmdb.Transaction, key: str) -> str | None:
    """Tell what the value of a key was made of, '' if not on record; None: no value."""
    name = encode_key(key)
    if not _has(transaction, name):
        return None
    return bytes(transaction.get(record_key(name), b'')).decode(errors='replace')


def hash_sentences(sentences: Sequence[str]) -> str:
    """Tell what embeddings were made of, in their order: the record beside a key's sentences."""
    return hashlib.sha256(json.dumps(list(sentences)).encode()).hexdigest()


def _has(transaction: lmdb.Transaction, name: bytes) -> bool:
    return not is_reserved(name) and transaction.get(name) is not None


def remove_cache(path: Path) -> None:
    """Remove a cache and nothing else that lies in its folder."""
    for name in ('data.mdb', 'lock.mdb'):
        (path / name).unlink(missing_ok=True)
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


@contextmanager
def reading(path: Path, command: str) -> Iterator[lmdb.Transaction]:
    """Open a cache for one read, refusing a file that is shorter than LMDB believes.

    Raises:
        TargetCacheError: Missing or damaged.
    """
    if not (path / 'data.mdb').is_file():
        raise TargetCacheError(f'no target cache at {path}: make it with `{command}`')
    fix = f'delete it, or make it again with `{command} --overwrite`'
    with _open_lock:
        try:
            environment = lmdb.open(str(path), readonly=True, lock=False, create=False)
        except lmdb.Error as error:
            raise TargetCacheError(
                f'target cache {path} cannot be read ({error}): {fix}'
            ) from error
        with environment:
            # Reading a page beyond the end of the mapped file kills the process (SIGBUS). What is
            # needed is asked first, as a writer may make the file longer in between.
            needed, found = needed_bytes(environment), data_bytes(path)
            if found < needed:
                raise TargetCacheError(
                    f'target cache {path} is truncated ({found} of {needed} bytes): {fix}'
                )
            try:
                # Buffers are views of the mapped file: of a long value only what is used is read.
                with _begin(environment) as transaction:
                    yield transaction
            except lmdb.Error as error:
                raise TargetCacheError(
                    f'target cache {path} is damaged ({error}): {fix}'
                ) from error


def _begin(environment: lmdb.Environment) -> lmdb.Transaction:
    try:
        return environment.begin(buffers=True)
    except lmdb.MapResizedError:
        # A writer has made the file larger since it was opened here: take its size.
        environment.set_mapsize(0)
        return environment.begin(buffers=True)


def needed_bytes(environment: lmdb.Environment) -> int:
    """Size that the data file must have at least."""
    return int((environment.info()['last_pgno'] + 1) * environment.stat()['psize'])


def data_bytes(path: Path) -> int:
    """Size of the data file of a cache, 0 if there is none."""
    file = path / 'data.mdb'
    return file.stat().st_size if file.is_file() else 0
