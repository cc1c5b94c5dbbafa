"""Text files of a data set as it was downloaded: in folders, or still in zip archives."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import require


def text_files(
    source: Path, name: re.Pattern[str], suffix: str, fix: str
) -> Iterator[tuple[re.Match[str], Callable[[], str]]]:
    """Find the files called ``name`` + ``suffix`` without unpacking anything.

    Args:
        source: A zip archive; or a folder with such files at any depth; or, if it has none, with
            zip archives that hold them.
        name: Pattern of the whole name without the suffix; other files are ignored.
        suffix: Such as ``'.json'``.
        fix: Ends the message of an error.

    Yields:
        tuple: Match of the name, and a function that returns the text, or raises ValueError if the
        file is damaged. Call it before asking for the next file. Sorted by path in each archive.

    Raises:
        DataError: There is no such file, or an archive is damaged.
    """
    require(source, fix)
    found = False
    if source.is_dir():
        for file in sorted(source.rglob(f'*{suffix}')):
            if match := name.fullmatch(file.stem):
                found = True
                yield match, partial(_text, file.read_bytes)
    archives = [] if found else sorted(source.glob('*.zip')) if source.is_dir() else [source]
    for archive in archives:
        try:
            holder = zipfile.ZipFile(archive)
        except zipfile.BadZipFile as error:
            raise DataError(f'{archive}: not a whole zip archive; fetch it again') from error
        with holder:
            for member in sorted(holder.namelist()):
                path = PurePosixPath(member)
                if path.suffix == suffix and (match := name.fullmatch(path.stem)):
                    found = True
                    yield match, partial(_text, partial(holder.read, member))
    if not found:
        raise DataError(f'{source}: no {suffix} file of the set in this folder or archive; {fix}')


def _text(read: Callable[[], bytes]) -> str:
    try:
        return read().decode('utf-8')
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        raise ValueError(str(error)) from error
