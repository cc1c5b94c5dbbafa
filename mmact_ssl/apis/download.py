"""Fetch files of a zoo: from a web address, a folder, or the Hugging Face hub.

A download goes to a hidden file beside its target, is continued where it was interrupted, and
moves to its name once its sha256 is the expected one. Nothing of it is parsed before.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mmact_ssl.errors import CheckpointError, reason_of
from mmact_ssl.files import reading, sha256_of_file

TRIES = 3  # connections in a row that may break
TIMEOUT = 30  # seconds without a byte
BLOCK = 1 << 16
HUB = re.compile(r'hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<folder>.+))?')


def fetch(base: str, name: str, folder: Path, size: int, sha256: str | None) -> Path:
    """Bring a file of a base address to this machine, once.

    Args:
        base: ``http(s)://host/path``, ``hf://owner/repository[@revision][/folder]`` or a folder.
        name: Of the file under it.
        folder: Where it goes; a file from the hub stays in the hub's own cache.
        size: In bytes; the most that is read if there is no hash.
        sha256: Of the file; None: of a list of models, which is fetched anew.

    Raises:
        CheckpointError: It cannot be reached, or is another file than expected.
    """
    where = f'{base.rstrip("/")}/{name}'
    if base.startswith('hf://'):
        path = _from_hub(base, name)
        _check(path, where, size, sha256)
        return path
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(f'.{name}.part')) as part:
        if sha256 is None or not path.is_file() or sha256_of_file(path) != sha256:
            if sha256 is None:
                _empty(part)
            if base.startswith(('http://', 'https://')):
                _download(where, part, size, exact=sha256 is not None)
            else:
                _empty(part)
                fix = 'MMACT_SSL_ZOO is the address of a zoo: http(s)://, hf:// or a folder'
                with reading(where, fix, CheckpointError), open(where, 'rb') as source:
                    shutil.copyfileobj(source, part)
            part.flush()
            try:
                _check(Path(part.name), where, size, sha256)
            except CheckpointError:
                _empty(part)
                raise
            os.replace(part.name, path)
    return path


def _empty(part: IO[bytes]) -> None:
    part.seek(0)
    part.truncate()


def _check(path: Path, where: str, size: int, sha256: str | None) -> None:
    """Compare a file with what is expected of it."""
    found = path.stat().st_size
    if found > size:
        raise CheckpointError(f'{where} is longer than {size} bytes: refused')
    if sha256 is not None and sha256_of_file(path) != sha256:
        raise CheckpointError(
            f'{where} ({found} of {size} bytes) has sha256 {sha256_of_file(path)}, {sha256} is '
            'expected: refused; try again, and if it is so again tell whoever keeps this address'
        )


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to append to it; other processes that want it wait."""
    while True:
        with open(path, 'ab') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # The process before may have moved the file to its name.
            if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                try:
                    yield file
                finally:
                    if path.exists() and file.tell() == 0:
                        path.unlink()
                return


def _download(where: str, part: IO[bytes], size: int, exact: bool) -> None:
    """Append what is missing of a file, on a broken connection again from there."""
    from rich.progress import Progress

    failures, problem = 0, ''
    with Progress(transient=True) as progress:
        shown = progress.add_task(where.rpartition('/')[2], total=size if exact else None)
        while failures < TRIES:
            start = part.seek(0, os.SEEK_END)
            if exact and start >= size:
                return
            request = urllib.request.Request(where, headers={'User-Agent': 'mmact_ssl'})
            if start:
                request.add_header('Range', f'bytes={start}-')
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                    if start and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                        _empty(part)  # a host without ranges sends it from the beginning
                    while block := answer.read(BLOCK):
                        part.write(block)
                        progress.update(shown, completed=part.tell())
                        if part.tell() > size:
                            return
                if not exact:
                    return
                problem = f'it ends after {part.tell()} of {size} bytes'
            except urllib.error.HTTPError as error:
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    problem = f'it ends after {start} of {size} bytes'
                    break
                raise CheckpointError(
                    f'{where}: the server answers {error.code} {error.reason}: is MMACT_SSL_ZOO '
                    'the right address?'
                ) from error
            except (OSError, http.client.HTTPException) as error:
                problem = reason_of(getattr(error, 'reason', None) or error)
            failures = 1 if part.tell() > start else failures + 1
    raise CheckpointError(
        f'{where}: download failed ({problem}): try again, it goes on from there; without a '
        'connection, set MMACT_SSL_ZOO to a folder that holds the file'
    )


def _from_hub(base: str, name: str) -> Path:
    """Fetch a file by ``huggingface_hub`` into its own cache."""
    from mmact_ssl.models.teachers.weights import import_extra

    match = HUB.fullmatch(base.rstrip('/'))
    if match is None:
        raise CheckpointError(f'{base}: write hf://owner/repository[@revision][/folder]')
    hub = import_extra('huggingface_hub', 'a zoo at hf://')
    inside = f'{match["folder"]}/{name}' if match['folder'] else name
    try:
        return Path(hub.hf_hub_download(match['repo'], inside, revision=match['revision']))
    except Exception as error:
        raise CheckpointError(f'{base}/{name}: download failed ({reason_of(error)})') from error
