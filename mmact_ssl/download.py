"""Downloads with limits on bytes and time, kept only if the caller accepts them."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import Progress

from mmact_ssl.errors import CheckpointError, import_extra, reason_of
from mmact_ssl.files import reading, sha256_of_file, writing_whole

SECONDS = 30  # for the server to respond, on top of the time for the bytes
SLOWEST = 1000  # bytes a second
MEGABYTES = 16_384  # limit for a file of unknown size
POLL = 0.1  # seconds
REFUSED = 'refused; try again, and if it happens again tell the owner of this address'
HUB = re.compile(r'hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<folder>.+))?')


class _Transfer(threading.Thread):
    """Download into an open file, in a daemon thread: a blocked socket cannot keep Python alive."""

    def __init__(self, address: str, file: BinaryIO, limit: int) -> None:
        super().__init__(daemon=True)
        self.address, self.file, self.limit = address, file, limit
        self.size: int | None = None
        self.received = 0
        self.stopped = False
        self.error: Exception | None = RuntimeError('it was broken off')

    def run(self) -> None:
        try:
            self._copy()
            self.error = None
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.error = error

    def _copy(self) -> None:
        with urllib.request.urlopen(self.address, timeout=SECONDS) as answer:
            length = answer.headers.get('Content-Length', '')
            self.size = int(length) if length.isdigit() else None
            while not self.stopped and (block := answer.read1(1 << 20)):
                self.received += len(block)
                if self.received > self.limit:
                    raise ValueError(f'it has more than the {self.limit} bytes expected')
                self.file.write(block)
        if self.size is not None and self.received < self.size:
            raise ValueError(f'{self.received} of {self.size} bytes came')


def download(
    address: str,
    path: str | os.PathLike[str],
    accept: Callable[[Path, str], object],
    limit: int = MEGABYTES << 20,
) -> None:
    """Download a file to a temporary path, and move it to ``path`` if it is accepted.

    Args:
        path: Where the file goes; an earlier one is replaced.
        accept: Called with the temporary path of the complete file and the address; raises an
            error for a wrong file.
        limit: Largest number of bytes.

    Raises:
        CheckpointError: The server cannot be reached, is slower than :data:`SLOWEST` bytes a second
            or sends too much.
    """
    with writing_whole(path) as part, open(part, 'wb') as file:
        transfer = _Transfer(address, file, limit)
        transfer.start()
        begun = time.monotonic()
        console = Console(stderr=True)
        with Progress(transient=True, console=console, disable=not console.is_terminal) as bars:
            bar = bars.add_task(os.path.basename(path), total=None)
            while transfer.is_alive():
                transfer.join(POLL)
                bars.update(bar, completed=transfer.received, total=transfer.size)
                if time.monotonic() - begun > SECONDS + transfer.received / SLOWEST:
                    transfer.stopped = True
                    raise _failed(address, path, 'timed out, the server is too slow')
        if transfer.error is not None:
            raise _failed(address, path, reason_of(transfer.error)) from transfer.error
        file.flush()
        accept(part, address)


def _failed(address: str, path: str | os.PathLike[str], reason: str) -> CheckpointError:
    return CheckpointError(
        f'{address}: download failed ({reason}): try again, or fetch it to {path} by hand'
    )


def check_hash(path: str | os.PathLike[str], where: str, expected: str, fix: str = REFUSED) -> str:
    """Return the sha256 of a file; CheckpointError if it does not begin with ``expected``.

    Args:
        where: Its path, or the address that it came from, for the error.
        expected: Hexadecimal digits.
    """
    sha256 = sha256_of_file(path)
    if not sha256.startswith(expected):
        raise CheckpointError(f'{where} has sha256 {sha256}, {expected} is expected: {fix}')
    return sha256


def fetch(
    base: str, name: str, folder: Path, accept: Callable[[Path, str], object], limit: int
) -> Path:
    """Download or copy the file ``base/name`` to a folder, and return its path.

    Args:
        base: ``http(s)://host/path``, ``hf://owner/repository[@revision][/folder]`` or a folder.
        folder: Where the file goes; a file from the hub stays in the hub's own cache.
        accept: As in :func:`download`.
        limit: Bytes that a web server may send.

    Raises:
        CheckpointError: The file cannot be reached, or is not accepted.
    """
    where, path = f'{base.rstrip("/")}/{name}', folder / name
    if base.startswith('hf://'):
        match = HUB.fullmatch(base.rstrip('/'))
        if match is None:
            raise CheckpointError(f'{base}: write hf://owner/repository[@revision][/folder]')
        inside = f'{match["folder"]}/{name}' if match['folder'] else name
        path = Path(from_hub(match['repo'], inside, match['revision']))
        accept(path, where)
    elif base.startswith(('http://', 'https://')):
        download(where, path, accept, limit)
    else:
        fix = 'MMACT_SSL_ZOO is the address of a zoo: http(s)://, hf:// or a folder'
        with writing_whole(path) as part:
            with reading(where, fix, CheckpointError):
                shutil.copyfile(where, part)
            accept(part, where)
    return path


def from_hub(repository: str, name: str, revision: str | None = None) -> str:
    """Find a file of the Hugging Face hub in its own cache, or download it; returns its path.

    Raises:
        CheckpointError: It is in neither.
    """
    hub = import_extra('huggingface_hub', f'hf://{repository}')
    try:
        return hub.hf_hub_download(repository, name, revision=revision)
    except Exception as error:
        raise CheckpointError(
            f'hf://{repository}/{name}: download failed ({reason_of(error)}), and it is not in the '
            'Hugging Face cache: download it elsewhere and give its path'
        ) from error
