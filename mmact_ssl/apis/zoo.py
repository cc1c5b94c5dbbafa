"""Published models by name, and the places of their files."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from hashlib import sha256
from pathlib import Path

from mmengine.logging import print_log

from mmact_ssl.checkpoint_file import CHECKPOINT, MODEL
from mmact_ssl.download import MEGABYTES, check_hash, fetch
from mmact_ssl.errors import CheckpointError, MMActSSLError
from mmact_ssl.files import read_json, sha256_of_file, write_atomically
from mmact_ssl.saved_run import NAME

INDEX = 'index.json'
INDEX_BYTES = 1 << 20
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Entry:
    """A model in an index.

    Attributes:
        file: Name in the folder of the index, ``NAME-<8 digits of its sha256>.safetensors``.
        size: Size in bytes.
    """

    file: str
    sha256: str
    size: int


def zoo_folder() -> Path:
    """Folder of the models that come with the package, in a checkout or an installation."""
    checkout = PACKAGE.parent
    return (checkout if (checkout / 'model-index.yml').is_file() else PACKAGE / '.mim') / 'zoo'


def read_index(path: str | os.PathLike[str]) -> dict[str, Entry]:
    """Read the names, files and hashes of an index, ``{"name": {"file", "sha256", "size"}}``."""
    fix = 'write it by tools/publish_model.py'
    entries = {}
    for name, values in read_json(path, fix, dict).items():
        try:
            entry = Entry(**values)
            good = (
                NAME.fullmatch(name)
                and re.fullmatch('[0-9a-f]{64}', entry.sha256)
                and entry.file == f'{name}-{entry.sha256[:8]}{MODEL}'
                and type(entry.size) is int
                and 0 < entry.size <= MEGABYTES << 20
            )
        except TypeError:
            good = None
        if not good:
            raise CheckpointError(f'{path}: {name[:100]!r} is not an entry of an index: {fix}')
        entries[name] = entry
    return entries


def cache_folder() -> Path:
    """Folder of downloads, beside torch hub's checkpoints."""
    import torch

    return Path(torch.hub.get_dir()) / 'mmact_ssl'


def own_models() -> dict[str, Entry]:
    """The models in this package's index; their files may be elsewhere."""
    return read_index(zoo_folder() / INDEX)


def other_models(base: str) -> dict[str, Entry]:
    """The models in the index of another zoo."""
    folder = cache_folder() / sha256(base.encode()).hexdigest()[:12]
    try:
        path = fetch(base, INDEX, folder, _check_index, INDEX_BYTES)
    except CheckpointError as error:
        path = folder / INDEX  # from an earlier call
        print_log(f'{error}; using the last known list of models', 'current', logging.WARNING)
    return read_index(path) if path.is_file() else {}


def _check_index(path: Path, where: str) -> None:
    try:
        read_index(path)
    except MMActSSLError as error:
        fix = 'is MMACT_SSL_ZOO the right address?'
        raise CheckpointError(f'{where} is not a list of models: {fix}') from error


def list_models(pattern: str = '*') -> list[str]:
    """Names of the published models, e.g. ``list_models('csvr*')``.

    These are the package's models and, if ``$MMACT_SSL_ZOO`` is set, those of that zoo.
    """
    base = os.environ.get('MMACT_SSL_ZOO')
    names = {*own_models(), *(other_models(base) if base else ())}
    return sorted(name for name in names if fnmatchcase(name, pattern))


def find_published(name: str, folder: Path | None = None) -> str:
    """Path of a published model's file, whose sha256 is checked.

    Args:
        name: Name in the index of the package or of ``$MMACT_SSL_ZOO``.
        folder: Where a download goes; the user's cache by default.
    """
    base = os.environ.get('MMACT_SSL_ZOO', '')
    known = own_models()
    if name not in known and base:
        known = {**other_models(base), **known}
    if name not in known:
        near = get_close_matches(name, known, n=3) or sorted(known)
        raise CheckpointError(
            f'there is no model {name!r}: give a name of mmact_ssl.apis.list_models() '
            f'({", ".join(near[:5])}) or the path of a .safetensors file'
        )
    entry = known[name]
    folder = folder or cache_folder()
    path = zoo_folder() / entry.file
    if not path.is_file():
        path = folder / entry.file
        is_there = path.is_file()
        if base and not (is_there and sha256_of_file(path) == entry.sha256):
            accept = partial(check_hash, expected=entry.sha256)
            path = fetch(base, entry.file, folder, accept, entry.size)
        elif not is_there:
            raise CheckpointError(
                f'{name} does not come with the package: set MMACT_SSL_ZOO to the address of a '
                f'zoo with {entry.file}, http(s)://, hf://owner/repository or a folder'
            )
    check_hash(path, str(path), entry.sha256, 'delete it and try again')
    return str(path)


def find_model(name: str | os.PathLike[str]) -> str:
    """Path of what a user names.

    All programs read a name here, so that it is the same student in each.

    Args:
        name: A path or a name. A file or folder that exists goes before a published model of its
            name, with a warning if that comes with the package. A text with a suffix of weights or
            with a slash is a path.
    """
    text = os.path.expanduser(os.fspath(name))
    if text.endswith((CHECKPOINT, MODEL)) or os.path.sep in text:
        return text
    if not os.path.exists(text):
        return find_published(text)
    if text in own_models():
        print_log(
            f'{text} is a {"folder" if os.path.isdir(text) else "file"} here and a published '
            f'model: ./{text} is taken; for the model start in another folder',
            'current',
            logging.WARNING,
        )
    return text


def download_model(name: str, folder: str | os.PathLike[str]) -> Path:
    """Copy or download a model's file to a folder."""
    path = find_published(name, Path(folder))
    target = Path(folder) / Path(path).name
    if not target.exists() or not os.path.samefile(path, target):
        write_atomically(target, Path(path).read_bytes())
    return target


def add_to_index(path: Path, name: str) -> None:
    """Add a published file to the index of its folder, replacing the model's earlier file."""
    index = path.parent / INDEX
    entries = read_index(index)
    if name in entries and entries[name].file != path.name:
        (path.parent / entries[name].file).unlink(missing_ok=True)
    entries[name] = Entry(path.name, sha256_of_file(path), path.stat().st_size)
    table = {key: asdict(entry) for key, entry in sorted(entries.items())}
    write_atomically(index, json.dumps(table, indent=1) + '\n')
