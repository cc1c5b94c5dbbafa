"""Downloads by torch, kept if their hash is the expected one."""

from __future__ import annotations

import http.client
import os
import sys

from mmact_ssl.errors import CheckpointError, reason_of
from mmact_ssl.io.files import sha256_of_file, writing_whole


def download(address: str, path: str | os.PathLike[str], sha256: str = '') -> None:
    """Download a file; an earlier one is replaced once the new one is complete.

    Args:
        address: ``https://``, ``http://`` or ``file://``.
        sha256: Beginning of the file's hash.

    Raises:
        CheckpointError: The file cannot be reached, or has another hash.
    """
    from torch.hub import download_url_to_file  # here, because a list of models needs no torch

    with writing_whole(path) as part:
        try:
            download_url_to_file(address, str(part), progress=sys.stderr.isatty())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise CheckpointError(
                f'{address}: download failed ({reason_of(error)}): try again, or fetch it to '
                f'{path} by hand'
            ) from error
        check_hash(part, address, sha256, 'try again, or tell the owner of this address')


def check_hash(path: str | os.PathLike[str], where: str, expected: str, fix: str) -> None:
    """Raise CheckpointError unless the sha256 of a file begins with ``expected``.

    Args:
        where: Its path, or the address that it came from, for the error.
        expected: Hexadecimal digits.
    """
    sha256 = sha256_of_file(path)
    if not sha256.startswith(expected):
        raise CheckpointError(f'{where} has sha256 {sha256}, {expected} is expected: {fix}')
