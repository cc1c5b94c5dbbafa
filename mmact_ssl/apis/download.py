"""Fetch files of a zoo: from a web address, a folder, or the Hugging Face hub."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from mmact_ssl.download import download
from mmact_ssl.errors import CheckpointError, reason_of
from mmact_ssl.files import reading, writing_whole

HUB = re.compile(r'hf://(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<folder>.+))?')


def fetch(
    base: str, name: str, folder: Path, accept: Callable[[Path, str], object], limit: int
) -> Path:
    """Bring a file of a base address to this machine; it takes its name once it is accepted.

    Args:
        base: ``http(s)://host/path``, ``hf://owner/repository[@revision][/folder]`` or a folder.
        name: Of the file under it.
        folder: Where it goes; a file from the hub stays in the hub's own cache.
        accept: Called with a path of the file and its address; raises an error if it is not the
            file that is wanted.
        limit: Bytes that a web server may send.

    Raises:
        CheckpointError: It cannot be reached, or is another file than expected.
    """
    where, path = f'{base.rstrip("/")}/{name}', folder / name
    if base.startswith('hf://'):
        path = _from_hub(base, name)
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
