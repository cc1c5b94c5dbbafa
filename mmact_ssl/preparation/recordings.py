"""Videos of one recording: equal files, and names that look like it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import sha256_of_file

# In small letters, with one blank for all other signs.
COPY = re.compile(r'\b(?:copy of|copy|[hv]?flip(?:ped)?|mirror(?:ed)?)\b')
MINUTE = re.compile(r'(?:19|20)\d\d ?[01]\d ?[0-3]\d ?[0-2]\d ?[0-5]\d')
PART = re.compile(r' ?(?:part|clip|take|c)? ?\d+$')


def equal_files(paths: Sequence[Path], class_of: Mapping[Path, str]) -> list[list[Path]]:
    """Lists of two or more equal files, which must be of one class; reads files of equal size."""
    by_size, by_content = defaultdict(list), defaultdict(list)
    for path in paths:
        by_size[path.stat().st_size].append(path)
    for size, of_size in by_size.items():
        for path in of_size if len(of_size) > 1 else ():
            by_content[size, sha256_of_file(path)].append(path)
    for files in by_content.values():
        by_class = {class_of[path]: path for path in files if path in class_of}
        if len(by_class) > 1:
            both = ' and '.join(f'{path} ({name})' for name, path in by_class.items())
            raise DataError(f'equal files have several labels: {both}; correct them, or keep one')
    return [files for files in by_content.values() if len(files) > 1]


def describe_likely(classes: Mapping[Path, str]) -> str:
    """A line that counts the videos of each class that seem to share a recording; '' for none.

    Their names agree but for marks of a copy, in the minute, or before a number. What more than
    half of the names have before a number is no recording.
    """
    counts, examples = [], []
    for label in sorted({*classes.values()}):
        paths = [path for path, other in classes.items() if other == label]
        groups = defaultdict(set)
        for path in paths:
            text = re.sub(r'[\W_]+', ' ', path.stem.lower())
            name, minute = ' '.join(COPY.sub(' ', text).split()), MINUTE.search(text)
            groups[name, 1].add(path)
            groups[(minute[0], 1) if minute else (PART.sub('', name), 2)].add(path)
        shared = [
            group
            for (name, share), group in groups.items()
            if 1 < len(group) <= len(paths) / share and re.search('[a-z]|' + MINUTE.pattern, name)
        ]
        if shared:
            examples += sorted(path.name for path in shared[0])[:2]
            counts.append(f'{len(set.union(*shared))} of {len(paths)} of {label}')
    if not counts:
        return ''
    return (
        f'by their names several videos may be of one recording: {", ".join(counts[:5])}'
        f'{", ..." * (len(counts) > 5)}, such as {examples[0]} and {examples[1]}: name recordings '
        'as groups in the table of labels, or a test list may share them with the training\n'
    )
