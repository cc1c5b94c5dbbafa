"""Files that every part of the package reads or writes: hashes, atomic writes, annotations.

Read files from outside within :func:`reading`, and make paths of the names in them by
:func:`path_inside`: a damaged or forged file then raises a :class:`DataError` that names it.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import hashlib
import io
import os
import re
import reprlib
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mmact_ssl.errors import DataError, MMActSSLError, reason_of

# Larger labels are refused: tables of all classes would fill the memory.
MAX_CLASSES = 100_000
# An archive may unpack to this size, or to this multiple of its own size.
UNPACKED_BYTES, UNPACKED_RATIO = 1 << 28, 100

_LABELED = re.compile(r'(.*\S)\s+(-?[0-9]{1,18})')
_OTHER_SEPARATOR = re.compile(r'.*\.[^\s./]+\s*[;,]\s*-?[0-9]+')  # after a suffix
_ADDRESS = re.compile(r'([a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]*://', re.I)  # as fsspec chains them
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
CONTROL = re.compile(
    '[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]'
)  # and bytes that are not UTF-8


def read_annotation(path: str | os.PathLike[str], fix: str) -> tuple[list[str], list[int]]:
    """Read an annotation file: a line ``name label`` or ``name`` per sample.

    A name may contain blanks: only an integer at the end of a line is a label. Blank lines are
    skipped.

    Args:
        fix: The fix, which ends every error: ``'run `mmact-ssl prepare jhmdb`'``.

    Returns:
        Names and labels in the order of the file; -1 where a line has no label.

    Raises:
        DataError: The file is missing, empty or not UTF-8, its separator is not a blank, or a
            label is below -1 or too large.
    """
    names, labels = [], []
    text = read_text(path, fix)
    lines = {n: line.strip() for n, line in enumerate(text.split('\n'), start=1) if line.strip()}
    if not lines:
        raise DataError(f'{path} is empty: {fix}')
    if all(_OTHER_SEPARATOR.fullmatch(line) for line in lines.values()):
        raise DataError(
            f'{path}: a comma or semicolon stands before every label: write a blank, or {fix}'
        )
    for number, line in lines.items():
        labeled = _LABELED.fullmatch(line)
        name, label = (labeled[1], int(labeled[2])) if labeled else (line, -1)
        if not -1 <= label < MAX_CLASSES:
            raise DataError(
                f'{path}:{number}: label {label} is neither a class (0, 1, ..., at most '
                f'{MAX_CLASSES - 1}) nor -1 (no label): {fix}'
            )
        names.append(name)
        labels.append(label)
    return names, labels


def read_table(
    path: str | os.PathLike[str], fix: str
) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """Read a CSV file in UTF-8 with commas, semicolons or tabs; its first line names the columns.

    Returns:
        The columns; and the place (``path:row``) and the cells of each row that is not empty.

    Raises:
        DataError: A row has another number of cells than there are columns.
    """
    with reading(path, fix):
        text = read_text(path, fix)
        separator = next((mark for mark in '\t;' if mark in text.partition('\n')[0]), ',')
        lines = csv.reader(io.StringIO(text, newline=''), delimiter=separator)
        table = [[cell.strip() for cell in line] for line in lines]
    columns = (*table, [])[0]
    rows = [(f'{path}:{n}', cells) for n, cells in enumerate(table[1:], start=2) if any(cells)]
    for place, cells in rows:
        if len(cells) != len(columns):
            raise DataError(f'{place}: has {len(cells)} cells for {len(columns)} columns; {fix}')
    return columns, [(place, dict(zip(columns, cells))) for place, cells in rows]


def read_text(path: str | os.PathLike[str], fix: str) -> str:
    """Read a text file in UTF-8, with or without a byte order mark."""
    with reading(path, fix):
        return Path(path).read_text(encoding='utf-8-sig')


def read_arrays(
    path: str | os.PathLike[str], fix: str, names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Read all arrays of an npz file, or those in ``names``, without unpickling."""
    with reading(path, fix), open_archive(path, fix), np.load(path, allow_pickle=False) as table:
        return {name: table[name] for name in (table.files if names is None else names)}


@contextmanager
def open_archive(path: str | os.PathLike[str], fix: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, unless it unpacks to far more than its own size."""
    with reading(path, fix):
        archive = zipfile.ZipFile(path)
    with archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(UNPACKED_BYTES, UNPACKED_RATIO * os.path.getsize(path)):
            raise DataError(
                f'{path} unpacks to {unpacked / 2**30:.1f} GiB, more than {UNPACKED_RATIO} times '
                f'its size: unpack it yourself if you trust it; {fix}'
            )
        yield archive


@contextmanager
def reading(
    path: str | os.PathLike[str], fix: str, kind: type[MMActSSLError] = DataError
) -> Iterator[None]:
    """Turn any error while a file is read and parsed into an error that names the file.

    Parsers of damaged files raise almost anything. Errors for users pass unchanged, and so do the
    system's errors about other files or a full disk.
    """
    if reason := irregular(path):
        raise kind(f'{path}: {reason}')
    try:
        yield
    except MMActSSLError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or _lies_outside(error.filename, path):
            raise
        if isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
            raise kind(f'{path} is missing: {fix}') from None
        raise kind(f'{path}: {reason_of(error)}: {fix}') from error
    except UnicodeDecodeError as error:
        raise kind(f'{path} is not UTF-8 (byte {error.start}): {fix}') from error
    except Exception as error:
        raise kind(f'{path}: {reason_of(error)}: {fix}') from error


def irregular(path: str | os.PathLike[str]) -> str:
    """Error message for a named pipe, socket or device, which may block; '' for any other path."""
    is_other = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    return 'is a named pipe, a socket or a device: give a regular file' if is_other else ''


def _lies_outside(name: Any, path: str | os.PathLike[str]) -> bool:
    if not isinstance(name, (str, bytes, os.PathLike)):
        return False
    own, other = os.path.abspath(path), os.path.abspath(os.fsdecode(name))
    return other != own and not other.startswith(os.path.join(own, ''))


def shown(value: Any) -> str:
    """The first letters of a value in a line; it may be anything, of any depth."""
    return ' '.join(_SHORT.repr(value).split())


def path_inside(folder: Path, name: str, source: str | os.PathLike[str]) -> Path:
    """Path of a name that ``source`` gives; DataError if it leads out of the folder."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or '..' in path.parts or CONTROL.search(name):
        raise DataError(f'{source}: {name!r} is not a path inside a folder; rename it')
    return folder / path


def video_path(root: str | os.PathLike[str] | None, name: str) -> str:
    """Path of a listed video below ``root``; an address only if ``root`` is one.

    Without a root, a name may be the path of any file on this machine.

    Raises:
        DataError: The name leads out of the root.
    """
    root = os.fspath(root or '')
    if root and (name.startswith('/') or '..' in name.split('/')):
        raise DataError(f'{name!r} leads out of {root}: list the videos by their paths from there')
    if is_remote(root) and ('::' in name or '://' in name):
        raise DataError(f'{name!r} holds an address: list the videos by their paths from {root}')
    return os.path.join(root or '.', name) if is_remote(name) else os.path.join(root, name)


def is_remote(path: str | os.PathLike[str]) -> bool:
    """True for an address outside this machine's file system."""
    return _ADDRESS.match(os.fspath(path)) is not None


def dangling(path: str | os.PathLike[str]) -> str:
    """Error message for a link whose target is gone, with the fix; '' for any other path."""
    if not os.path.islink(path) or os.path.exists(path):
        return ''
    return (
        f'links to {os.readlink(path)}, which is gone: prepare the folder again from where the '
        'videos are now'
    )


def file_version(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Size of a file in bytes and time of its last change in nanoseconds; zeros if it is gone.

    It sees every change of a file in its place, and reads nothing. A copy may have another time:
    for the content of a video see :func:`mmact_ssl.datasets.shards.video_hash`.
    """
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def sha256_of_file(path: str | os.PathLike[str]) -> str:
    """Hash a file's content without reading it whole into memory."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def sha256_of(text: str) -> str:
    """Hash a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def expand(path: str | os.PathLike[str]) -> Path:
    """Path that a user gives, with a leading ``~`` expanded."""
    return Path(os.path.expanduser(path))


def write_atomically(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write bytes, or text as UTF-8, whole or not at all, see :func:`writing_whole`."""
    with writing_whole(path) as part:
        part.write_bytes(data.encode('utf-8') if isinstance(data, str) else data)


@contextmanager
def writing_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a hidden file beside ``path``, which replaces ``path`` at the end.

    After an error ``path`` is unchanged. Readers never see a part of the file, and several
    processes or machines may write it: the last one wins. A missing folder is made. The suffix is
    ``.part``, so that what a killed process leaves is not read as a file like ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.{uuid.uuid4().hex[:12]}.part')
    try:
        yield part
        part.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a write that fails does not tell
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def locked(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of a folder: processes change its files one after the other."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
