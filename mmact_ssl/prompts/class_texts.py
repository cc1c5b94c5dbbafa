"""Descriptions of classes, one a line, as zero-shot evaluation reads them; never for training."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mmact_ssl.errors import DataError

_SEPARATOR = re.compile('[;,]')


def read_class_texts(
    files: Sequence[str | os.PathLike[str]], classes: Sequence[str], in_order: bool = False
) -> dict[str, list[str]]:
    """Read files of lines ``class; description`` or ``class, description``.

    Case, blanks around the separator and blank lines don't count. A description may have the
    separator in it, and a class's name may.

    Args:
        files: Each has one line a class and gives it one sentence.
        classes: Names, in the order of the labels.
        in_order: Line k is about class k, however the file calls it.

    Returns:
        Sentences by class, in the order of ``files``.

    Raises:
        DataError: A file is missing or not UTF-8, a class has no line or two, a line is about no
            class or has no description.
    """
    texts: dict[str, list[str]] = {name: [] for name in classes}
    for file in files:
        lines = _lines(file)
        if in_order and len(lines) != len(classes):
            raise DataError(
                f'{file}: {len(lines)} lines for {len(classes)} classes: one a class is read '
                'in order'
            )
        found: dict[str, str] = {}
        for position, (number, line) in enumerate(lines):
            name, text = _split(line, [] if in_order else classes)
            name = classes[position] if in_order else name
            if not text:
                raise DataError(f'{file}:{number}: no description after the name: {line[:60]!r}')
            if name not in texts:
                raise DataError(
                    f'{file}:{number}: {name!r} is no class: name it as classes.txt does, or, if '
                    'the lines are in its order, give --in-order'
                )
            if name in found:
                raise DataError(f'{file}:{number}: a second line about {name!r}: take one out')
            found[name] = text
        missing = [name for name in classes if name not in found]
        if missing:
            raise DataError(f'{file}: no line about {len(missing)} classes, e.g. {missing[0]!r}')
        for name, text in found.items():
            texts[name].append(text)
    return texts


def _lines(file: str | os.PathLike[str]) -> list[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    if not Path(file).is_file():
        raise DataError(f'no file {file} of descriptions: correct its path')
    try:
        text = Path(file).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise DataError(f'{file} is not UTF-8 (byte {error.start}): save it again') from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, line) for number, line in lines if line]


def _split(line: str, classes: Sequence[str]) -> tuple[str, str]:
    """Name and description of a line; a name with a separator in it is known as a class."""
    for name in sorted(classes, key=len, reverse=True):
        rest = line[len(name) :].lstrip()
        if line.lower().startswith(name.lower()) and _SEPARATOR.match(rest):
            return name, rest[1:].strip()
    name, *rest_of = _SEPARATOR.split(line, maxsplit=1)
    return name.strip(), rest_of[0].strip() if rest_of else ''
