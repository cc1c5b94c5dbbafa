"""Descriptions of classes for zero-shot evaluation, one per line. Never use them for training."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from mmact_ssl.errors import DataError
from mmact_ssl.files import read_text

_SEPARATOR = re.compile(r'\s*[;,]|\s*\t')


def read_class_texts(
    files: Sequence[str | os.PathLike[str]], classes: Sequence[str], in_order: bool = False
) -> dict[str, list[str]]:
    """Read files of lines ``class; description``, with a semicolon, a comma or a tab.

    Case, blanks around the separator and blank lines do not matter. Descriptions and names of
    classes may contain a separator.

    Args:
        files: Files with a line, that is, a sentence, for each class.
        classes: Names of the classes, in the order of the labels.
        in_order: Line k describes class k, with any name.

    Returns:
        {class: sentences}, in the order of ``files``.
    """
    texts: dict[str, list[str]] = {name: [] for name in classes}
    for file in files:
        lines = _lines(file)
        if in_order and len(lines) != len(classes):
            raise DataError(f'{file}: {len(lines)} lines for {len(classes)} classes: give as many')
        descriptions: dict[str, str] = {}
        for position, (number, line) in enumerate(lines):
            name, text = _split(line, [classes[position]] if in_order else classes)
            name = classes[position] if in_order else name
            if not text:
                raise DataError(f'{file}:{number}: no description after the name: {line[:60]!r}')
            if name not in texts:
                raise DataError(f'{file}:{number}: no class {name!r}: correct it or add --in-order')
            if name in descriptions:
                raise DataError(f'{file}:{number}: a second line about {name!r}: remove one')
            descriptions[name] = text
        missing = [name for name in classes if name not in descriptions]
        if missing:
            raise DataError(f'{file}: no line about {len(missing)} classes, e.g. {missing[0]!r}')
        for name, text in descriptions.items():
            texts[name].append(text)
    return texts


def _lines(file: str | os.PathLike[str]) -> list[tuple[int, str]]:
    """Read the non-blank lines, with their numbers."""
    text = read_text(file, 'correct the path of the class texts')
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, line) for number, line in lines if line]


def _split(line: str, classes: Sequence[str]) -> tuple[str, str]:
    """Split a line into name and description; a name with separators must be in ``classes``."""
    for name in sorted(classes, key=len, reverse=True):
        mark = _SEPARATOR.match(line[len(name) :])
        if line.lower().startswith(name.lower()) and mark:
            return name, line[len(name) + mark.end() :].strip()
    name, *description = _SEPARATOR.split(line, maxsplit=1)
    return name.strip(), description[0].strip() if description else ''
