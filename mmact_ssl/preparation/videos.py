"""Your own videos: any folder tree of video files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.prepared_folder import BY_GROUPS, hold_out, write_groups
from mmact_ssl.errors import DataError
from mmact_ssl.files import CONTROL, other_form, read_text, reading
from mmact_ssl.preparation.files import (
    VIDEO_SUFFIXES,
    Video,
    choose_files,
    probe_videos,
    require,
    write_videos,
)

SETS = {'videos': 'your own videos: any folder tree'}
OPTIONS = {
    'labels': dict(type=Path, help='table of the videos that have a label: video,label[,group]'),
    'labels_from_folders': dict(
        action='store_true', help='the first folder below the source is the class'
    ),
    'test_fraction': dict(type=float, help='of each class, to hold out as test.txt'),
}


def prepare(
    source: Path,
    out: Path,
    labels: Path | None = None,
    labels_from_folders: bool = False,
    test_fraction: float = 0.0,
    seed: int = 0,
    placement: str = 'link',
) -> dict[str, int]:
    """List all videos below a folder; those that cannot be read are left out and named.

    Args:
        source: Folder; files at any depth that have one of VIDEO_SUFFIXES.
        out: Folder to write ``videos/``, ``train.txt``, ``left_out.txt`` and, with labels,
            ``classes.txt``, ``test.txt`` and ``groups.json`` to.
        labels: Table of labels and groups, see :func:`read_labels`. Without it and
            ``labels_from_folders`` the lists have no labels, which is enough for pre-training.
        labels_from_folders: The first folder below ``source`` is a video's class. Videos in one
            folder below that (a subject's, a session's) are a group.
        test_fraction: Share of each class that is held out as ``test.txt``, 0..1.
        seed: Of the hold-out.
        placement: 'link' or 'copy'.
    """
    fix = 'point --source at a folder with videos'
    require(source, fix)
    if test_fraction and not ((labels or labels_from_folders) and 0 < test_fraction < 1):
        raise DataError(
            '--test-fraction: give 0 to 1, together with --labels or --labels-from-folders'
        )
    if labels and labels_from_folders:
        raise DataError('give --labels or --labels-from-folders, not both')
    videos_below, unread, others = choose_files(source, VIDEO_SUFFIXES)
    made = out.resolve()
    found, unread_paths = (
        [path for path in paths if made not in (path.parent.resolve() / 'x').parents]
        for paths in (videos_below, unread)
    )
    if videos_below and not found:
        raise DataError(
            f'{source}: its {len(videos_below)} videos are left out, they lie in --out {out} and '
            'count as made by an earlier preparation; give an --out beside the source'
        )
    if not found:
        why = others or next((f'{path} {unread[path]}' for path in unread_paths), 'it is empty')
        raise DataError(f'{source}: no video below this folder ({why}); {fix}')
    if others:
        print(others.encode(errors='backslashreplace').decode())
    known = read_labels(labels, found, source) if labels else {}
    left_out = {path.relative_to(source).as_posix(): unread[path] for path in unread_paths}
    left_out.update(probe_videos(found, source))
    for path in found:
        if not os.fsencode(path).isascii() and any('\ud800' <= c <= '\udfff' for c in str(path)):
            left_out[path.relative_to(source).as_posix()] = 'its name is not UTF-8'
    if labels_from_folders:
        known = labels_of_folders(found, source)
        for path in found:
            if path not in known:
                left_out.setdefault(path.name, 'lies in no class folder')
    kept = [path for path in found if path.relative_to(source).as_posix() not in left_out]
    if not kept:
        why = next(iter(left_out.values()))
        raise DataError(f'{source}: none of {len(found)} videos can be used, the first: {why}')

    names = target_names(kept, source)
    (out / 'test.txt').unlink(missing_ok=True)  # of before: its videos may be in train.txt now
    labeled_as = {path: known.get(path, ('', '')) for path in kept}  # class, group
    classes = class_order({name for name, _ in labeled_as.values()} - {''})
    if test_fraction and not classes:
        raise DataError(f'--test-fraction: no video of {source} that can be used has a label')
    # A video without a group is one of its own.
    groups = {names[path]: group or names[path] for path, (_, group) in labeled_as.items()}
    write_groups(out, groups)
    videos = [
        Video(path, names[path], classes.index(name) if name else None)
        for path, (name, _) in labeled_as.items()
    ]
    splits = {'train': videos}
    if classes:
        known_ones = sum(video.label is not None for video in videos)
        print(f'{known_ones} of {len(videos)} videos have a label, of {len(classes)} classes')
    if test_fraction:
        labeled = [video for video in videos if video.label is not None]
        parts = [groups[video.name] for video in labeled]
        together = parts if len(set(parts)) < len(parts) else None
        held, how = hold_out(np.array([v.label for v in labeled]), test_fraction, seed, together)
        print(f'test.txt: {held.sum()} of {len(held)} videos, held out {how} (seed {seed})')
        tests = {video.name: video for video, is_held in zip(labeled, held) if is_held}
        tested = {video.label for video in tests.values()}
        if missed := [name for label, name in enumerate(classes) if label not in tested]:
            print(f'test.txt has no video of {", ".join(missed)}')
        # Nor is a test's group seen without labels.
        apart = {groups[name] for name in tests} if how == BY_GROUPS else set()
        train = [v for v in videos if v.name not in tests and groups[v.name] not in apart]
        if left := len(videos) - len(tests) - len(train):
            print(f'{left} videos without a label are in no list: their groups are in test.txt')
        splits = {'train': train, 'test': [*tests.values()]}
    return write_videos(out, splits, classes, left_out, placement)


def read_labels(table: Path, found: Sequence[Path], source: Path) -> dict[Path, tuple[str, str]]:
    """Read the class and group of videos from a table; '' where it gives none.

    Args:
        table: CSV in UTF-8, with commas, semicolons or tabs, whose first line names its columns:
            ``video``, the path below ``source``; ``label``, the name of its class; and, if videos
            belong together, ``group``, such as the person who is seen.
        found: Videos below ``source``. Those that the table does not name have no label.

    Raises:
        DataError: A column is unknown or missing, or a line names no such video, or one again.
    """
    fix = 'see docs/data.md'
    by_name = {path.relative_to(source).as_posix(): path for path in found}
    with reading(table, fix):
        text = read_text(table, fix)
        separator = next((mark for mark in ';\t' if mark in text.partition('\n')[0]), ',')
        rows = [*csv.reader(io.StringIO(text, newline=''), delimiter=separator)]
    columns = [column.strip() for column in (*rows, [])[0]]
    if not {'video', 'label'} <= {*columns} <= {'video', 'label', 'group'}:
        raise DataError(f'{table}:1: the columns are {columns}, not video,label[,group]; {fix}')
    known: dict[Path, tuple[str, str]] = {}
    for number, cells in enumerate(rows[1:], start=2):
        if not cells:
            continue
        where = f'{table}:{number}'
        if len(cells) != len(columns):
            raise DataError(f'{where}: has {len(cells)} cells for {len(columns)} columns; {fix}')
        row = {column: cell.strip() for column, cell in zip(columns, cells)}
        if row['video'] not in by_name:
            why = other_form(row['video'], by_name.__contains__) or 'write its path from there'
            raise DataError(f'{where}: no video {row["video"]!r} below {source}: {why}')
        path, name, group = by_name[row['video']], row['label'], row.get('group', '')
        if path in known:
            raise DataError(f'{where}: names {row["video"]!r} again')
        if CONTROL.search(name + group):
            raise DataError(f'{where}: {name!r}, {group!r}: leave out control characters')
        known[path] = (name, group)
    return known


def class_order(names: set[str]) -> list[str]:
    """Sort names of classes: whole numbers by their size, if all are such, else by their text."""
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def labels_of_folders(found: Sequence[Path], source: Path) -> dict[Path, tuple[str, str]]:
    """Class and group of videos by the folders that they lie in, of those that lie in one."""
    folders = {path: path.relative_to(source).parts[:-1] for path in found}
    return {path: (parts[0], (*parts, '')[1]) for path, parts in folders.items() if parts}


def target_names(paths: list[Path], source: Path) -> dict[Path, str]:
    """Return names below the output folder; blanks become '_'."""
    taken: dict[str, Path] = {}
    for path in paths:
        parts = ('_'.join(part.split()) for part in path.relative_to(source).parts)
        name = '/'.join(['videos', *parts])
        if name in taken:
            raise DataError(f'{path} and {taken[name]} would both be called {name}; rename one')
        taken[name] = path
    return {path: name for name, path in taken.items()}
