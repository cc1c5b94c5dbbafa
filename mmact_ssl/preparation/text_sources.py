"""Text files of a data set as it was downloaded: in folders, or still in zip archives."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import require


@dataclass(frozen=True)
class TextFile:
    """One file. ``path`` is relative to the source or its archive."""

    path: PurePosixPath
    holder: Path | zipfile.ZipFile

    def read(self) -> str:
        """The file's text.

        Raises:
            ValueError: the file is damaged or is no text.
        """
        try:
            if isinstance(self.holder, zipfile.ZipFile):
                return self.holder.read(str(self.path)).decode('utf-8')
            return (self.holder / self.path).read_text(encoding='utf-8')
        except (zipfile.BadZipFile, zlib.error, OSError) as error:
            raise ValueError(str(error)) from error


def text_files(source: Path, name: re.Pattern[str], suffix: str, fix: str) -> Iterator[TextFile]:
    """Find the files called ``name`` + ``suffix``, without unpacking anything; others are not seen.

    Args:
        source: A zip archive; or a folder with such files at any depth; or, if it has none, with
            zip archives that hold them.
        name: What the whole name without the suffix must match.
        suffix: As ``'.json'``.
        fix: Ends the message of an error.

    Yields:
        TextFile: by archive, sorted by path. Read it before the next one is asked for.

    Raises:
        DataError: there is no such file, or an archive is damaged.
    """
    require(source, fix)
    found = False
    if source.is_dir():
        for file in sorted(source.rglob(f'*{suffix}')):
            if not name.fullmatch(file.stem):
                continue
            found = True
            yield TextFile(PurePosixPath(file.relative_to(source).as_posix()), source)
    archives = [] if found else sorted(source.glob('*.zip')) if source.is_dir() else [source]
    for archive in archives:
        with ExitStack() as stack:
            try:
                holder = stack.enter_context(zipfile.ZipFile(archive))
            except zipfile.BadZipFile as error:
                raise DataError(f'{archive}: not a whole zip archive; fetch it again') from error
            for path in map(PurePosixPath, sorted(holder.namelist())):
                if path.suffix == suffix and name.fullmatch(path.stem):
                    found = True
                    yield TextFile(path, holder)
    if not found:
        raise DataError(f'{source}: no {suffix} file of the set in this folder or archive; {fix}')
