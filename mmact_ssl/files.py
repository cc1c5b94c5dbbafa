"""Files that every part of the package reads or writes: hashes, atomic writes, annotations."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path

from mmact_ssl.errors import DataError

_LABELED = re.compile(r'(.*\S)\s+(-?[0-9]+)')


def sha256_of_file(path: str | os.PathLike[str]) -> str:
    """Hash a file's content without reading it whole into memory."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write a file whole or not at all; the folder is made where it is missing.

    The data goes to a hidden file in the same folder, which is then moved. Readers never see a
    part of it, and several processes or machines may write the same file: the last one wins.

    Args:
        path: File to write or replace.
        data: Content; text is encoded as UTF-8.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{uuid.uuid4().hex[:12]}.{path.name}')
    try:
        part.write_bytes(data.encode('utf-8') if isinstance(data, str) else data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_annotation(path: str | os.PathLike[str], hint: str) -> tuple[list[str], list[int]]:
    """Read an annotation file: a line ``name label`` or ``name`` per sample.

    A name may contain blanks: only an integer at the end of a line is a label. Blank lines are
    skipped.

    Args:
        path: Annotation file in UTF-8.
        hint: The fix, which ends every error: ``'run `python tools/prepare_data.py jhmdb`'``.

    Returns:
        tuple[list[str], list[int]]: Names and labels in the order of the file; -1 where a line has
        no label.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or a label is below -1.
    """
    names, labels = [], []
    try:
        with open(path, encoding='utf-8') as lines:
            for number, line in enumerate(map(str.strip, lines), start=1):
                if not line:
                    continue
                labeled = _LABELED.fullmatch(line)
                name, label = (labeled[1], int(labeled[2])) if labeled else (line, -1)
                if label < -1:
                    raise DataError(
                        f'{path}:{number}: label {label} is neither a class (0, 1, ...) nor -1 '
                        f'(no label): {hint}'
                    )
                names.append(name)
                labels.append(label)
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f'annotation file {path} is missing: {hint}') from None
    except UnicodeDecodeError:
        raise DataError(f'annotation file {path} is not UTF-8: {hint}') from None
    if not names:
        raise DataError(f'annotation file {path} is empty: {hint}')
    return names, labels
