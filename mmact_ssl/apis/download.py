"""Fetch files of a zoo: from a web address, a folder, or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path

from mmact_ssl.errors import CheckpointError, reason_of
from mmact_ssl.files import reading, sha256_of_file, write_atomically

SECONDS = 30  # without a word from the server
HUB = re.compile(r'hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<folder>.+))?')


def fetch(base: str, name: str, folder: Path, sha256: str | None) -> Path:
    """Bring a file of a base address to this machine, once.

    It takes its name once its sha256 is the expected one; nothing of it is parsed before.

    Args:
        base: ``http(s)://host/path``, ``hf://owner/repository[@revision][/folder]`` or a folder.
        name: Of the file under it.
        folder: Where it goes; a file from the hub stays in the hub's own cache.
        sha256: Of the file; None: of a list of models, which is fetched anew.

    Raises:
        CheckpointError: It cannot be reached, or is another file than expected.
    """
    where = f'{base.rstrip("/")}/{name}'
    if base.startswith('hf://'):
        path = _from_hub(base, name)
        _check(sha256_of_file(path), where, sha256)
        return path
    path = folder / name
    if sha256 is None or not path.is_file() or sha256_of_file(path) != sha256:
        if base.startswith(('http://', 'https://')):
            content = _download(where)
        else:
            fix = 'MMACT_SSL_ZOO is the address of a zoo: http(s)://, hf:// or a folder'
            with reading(where, fix, CheckpointError):
                content = Path(where).read_bytes()
        _check(hashlib.sha256(content).hexdigest(), where, sha256)
        write_atomically(path, content)
    return path


def _check(found: str, where: str, sha256: str | None) -> None:
    """Compare the hash of a file with what is expected of it."""
    if sha256 not in (None, found):
        raise CheckpointError(
            f'{where} is another file ({sha256} is expected, {found} was found): refused; try '
            'again, and if it is so again tell whoever keeps this address'
        )


def _download(where: str) -> bytes:
    """Read a file of a web server, whole: models have tens of megabytes."""
    try:
        with urllib.request.urlopen(where, timeout=SECONDS) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise CheckpointError(
            f'{where}: the server answers {error.code} {error.reason}: is MMACT_SSL_ZOO the right '
            'address?'
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise CheckpointError(
            f'{where}: download failed ({reason_of(getattr(error, "reason", None) or error)}): try '
            'again; without a connection, set MMACT_SSL_ZOO to a folder that holds the file'
        ) from error


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
