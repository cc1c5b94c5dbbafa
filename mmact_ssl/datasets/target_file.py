# SPDX-License-Identifier: Apache-2.0
"""The file of a target cache: keys as LMDB takes them, and opening it for one read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from mmact_ssl.datasets.target_meta import TargetCacheError

TOOL = 'python tools/extract_targets.py'
MAX_KEY_BYTES = 511  # LMDB's limit

# LMDB forbids opening one environment twice in a process; a reader opens it for each read.
_open_lock = threading.Lock()


def encode_key(key: str) -> bytes:
    """Bytes of a key; of a name over 511 bytes its hash."""
    encoded = key.encode()
    if len(encoded) <= MAX_KEY_BYTES:
        return encoded
    return b'sha256:' + hashlib.sha256(encoded).hexdigest().encode()


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
    mend = f'delete it, or make it again with `{command} --overwrite`'
    with _open_lock:
        try:
            environment = lmdb.open(str(path), readonly=True, lock=False, create=False)
        except lmdb.Error as error:
            raise TargetCacheError(
                f'target cache {path} cannot be read ({error}): {mend}'
            ) from error
        with environment:
            # Reading a page beyond the end of the mapped file kills the process (SIGBUS). What is
            # needed is asked first, as a writer may make the file longer in between.
            needed, found = needed_bytes(environment), data_bytes(path)
            if found < needed:
                raise TargetCacheError(
                    f'target cache {path} is truncated ({found} of {needed} bytes): {mend}'
                )
            try:
                # Buffers are views of the mapped file: of a long value only what is used is read.
                with _begin(environment) as transaction:
                    yield transaction
            except lmdb.Error as error:
                raise TargetCacheError(
                    f'target cache {path} is damaged ({error}): {mend}'
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
