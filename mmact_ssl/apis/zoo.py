"""The models that there are, by name, and where their files lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from mmact_ssl.apis.card import NAME
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import read_json

INDEX = 'index.json'
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Entry:
    """A model in an index.

    Attributes:
        file: Its name in the folder of the index, with the beginning of its sha256.
        sha256: Of the file.
        size: In bytes.
    """

    file: str
    sha256: str
    size: int


def zoo_folder() -> Path:
    """Folder of the models that come with the package: a checkout's, or an installed one's."""
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
                and NAME.fullmatch(entry.file)
                and re.fullmatch('[0-9a-f]{64}', entry.sha256)
                and entry.size > 0
            )
        except TypeError:
            good = None
        if not good:
            raise CheckpointError(f'{path}: {name[:100]!r} is not an entry of an index: {fix}')
        entries[name] = entry
    return entries


def list_models(pattern: str = '*') -> list[str]:
    """Names of the published models, e.g. ``list_models('csvr*')``."""
    names = read_index(zoo_folder() / INDEX)
    return sorted(name for name in names if fnmatchcase(name, pattern))


def find_model(name: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Path of a model's file and, of one with a name, its sha256."""
    text = os.fspath(name)
    if text.endswith('.safetensors') or os.path.sep in text:
        return text, None
    entries = read_index(zoo_folder() / INDEX)
    if text not in entries:
        near = get_close_matches(text, entries, n=3) or sorted(entries)
        raise CheckpointError(
            f'there is no model {text!r}: give a name of mmact_ssl.apis.list_models() '
            f'({", ".join(near[:5])}) or the path of a .safetensors file'
        )
    entry = entries[text]
    return str(zoo_folder() / entry.file), entry.sha256
