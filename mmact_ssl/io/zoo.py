"""Published models by name, and the places of their files."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from torch.hub import get_dir

from mmact_ssl.errors import CheckpointError
from mmact_ssl.io.checkpoint_file import MODEL
from mmact_ssl.io.download import check_hash, download
from mmact_ssl.io.files import locked, reading, sha256_of_file, shown, write_atomically
from mmact_ssl.io.records import Name
from mmact_ssl.io.schema import read_json

INDEX = 'index.json'
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Entry:
    """A model in an index.

    Attributes:
        file: Name in the folder of the index, ``NAME-<8 digits of its sha256>.safetensors``.
        size: Size in bytes.
    """

    file: Name
    sha256: Annotated[str, re.compile('[0-9a-f]{64}')]
    size: Annotated[int, range(1, 1 << 40)]


def zoo_folder() -> Path:
    """Folder of the models that come with the package, in a checkout or an installation."""
    checkout = PACKAGE.parent
    return (checkout if (checkout / 'model-index.yml').is_file() else PACKAGE / '.mim') / 'zoo'


def list_models(pattern: str = '*') -> list[str]:
    """Names of the published models, e.g. ``list_models('csvr*')``."""
    return sorted(name for name in read_index(zoo_folder() / INDEX) if fnmatchcase(name, pattern))


def find_published(name: str) -> str:
    """Path of a published model's file, whose sha256 is checked.

    A file that does not come with the package is downloaded from ``$MMACT_SSL_ZOO``, the address of
    a folder with the models, to torch hub's folder.
    """
    known = read_index(zoo_folder() / INDEX)
    if name not in known:
        near = get_close_matches(name, known, n=3) or sorted(known)
        raise CheckpointError(
            f'there is no model {shown(name)}: give a name of mmact_ssl.apis.list_models() '
            f'({", ".join(near[:5])}) or the path of a .safetensors file'
        )
    entry = known[name]
    path = zoo_folder() / entry.file
    if not path.is_file():
        path = Path(get_dir(), 'mmact_ssl', entry.file)
    if not path.is_file():
        if not (base := os.environ.get('MMACT_SSL_ZOO')):
            raise CheckpointError(
                f'{name} does not come with the package: set MMACT_SSL_ZOO to the address of a '
                f'folder with {entry.file}, https://host/folder'
            )
        download(f'{base.rstrip("/")}/{entry.file}', path, entry.sha256)
    with reading(path, 'delete it and try again', CheckpointError):
        check_hash(path, str(path), entry.sha256, 'delete it and try again')
    return str(path)


def read_index(path: str | os.PathLike[str]) -> dict[str, Entry]:
    """Read the names, files and hashes of an index, ``{"name": {"file", "sha256", "size"}}``."""
    fix = 'write it by mmact-ssl publish'
    entries: dict[str, Entry] = read_json(path, fix, dict[Name, Entry])
    for name, entry in entries.items():
        if entry.file != f'{name}-{entry.sha256[:8]}{MODEL}':
            raise CheckpointError(f'{path}: {entry.file!r} is not a file of {name}: {fix}')
    return entries


def download_model(name: str, folder: str | os.PathLike[str]) -> Path:
    """Copy a model's file to a folder."""
    path = find_published(name)
    target = Path(folder) / Path(path).name
    write_atomically(target, Path(path).read_bytes())
    return target


def add_to_index(path: Path, name: str) -> None:
    """Add a published file to the index of its folder, replacing the model's earlier file."""
    index = path.parent / INDEX
    with locked(path.parent):
        entries = read_index(index)
        if name in entries and entries[name].file != path.name:
            (path.parent / entries[name].file).unlink(missing_ok=True)
        entries[name] = Entry(path.name, sha256_of_file(path), path.stat().st_size)
        table = {key: asdict(entry) for key, entry in sorted(entries.items())}
        write_atomically(index, json.dumps(table, indent=1) + '\n')
