"""Downloads that end: bounded in bytes and in time, and kept only once they are accepted."""

from __future__ import annotations

import http.client
import os
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import Progress

from mmact_ssl.errors import CheckpointError, reason_of
from mmact_ssl.files import sha256_of_file, writing_whole

SECONDS = 30  # that a server may take beside those for its bytes
SLOWEST = 1000  # bytes a second
MEGABYTES = 16_384  # of a file whose size is not known before
POLL = 0.1  # seconds


class _Transfer(threading.Thread):
    """A download into an open file. It is a daemon: what blocks in a socket ends with Python."""

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
    """Download a file, which takes its name once it is accepted.

    Args:
        address: ``http://`` or ``https://`` address.
        path: Where it goes; what is there is replaced.
        accept: Called with the path of the whole download, under another name, and the address;
            raises an error if it is not the file that is wanted.
        limit: Bytes at most.

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


def check_hash(path: Path, where: str, expected: str) -> None:
    """Compare the sha256 of a file, or its beginning, with what is expected of it.

    Raises:
        CheckpointError: It is another file; ``where`` tells whence it came.
    """
    found = sha256_of_file(path)
    if not found.startswith(expected):
        raise CheckpointError(
            f'{where} is another file ({expected} is expected, {found} was found): refused; try '
            'again, and if it is so again tell whoever keeps this address'
        )
