"""Your own videos: any folder tree of video files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.prepared_folder import hold_out, write_groups
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import CONTROL, path_inside, read_annotation, read_table
from mmact_ssl.preparation.files import Video, find_videos, probe_videos, require, write_videos
from mmact_ssl.preparation.recordings import describe_likely, equal_files
from mmact_ssl.preparation.small_copies import SHORT_SIDE, copies_at, copy_videos, is_copy

SETS = {'videos': 'your own videos: any folder tree'}
OPTIONS = {
    'labels': dict(type=Path, help='table of the videos that have a label: video,label[,group]'),
    'labels_from_folders': dict(
        action='store_true', help='the first folder below the source is the class'
    ),
    'test_fraction': dict(type=float, help='of each class, to hold out as test.txt'),
    'placement': dict(
        choices=('copy', 'link', 'small'),
        help='copy the videos, make symbolic links, or make small copies: some frames of each, '
        f'whose short side is at most {SHORT_SIDE} pixels',
    ),
    'window': dict(type=float, help='seconds of a small copy, of recordings; 0: whole files'),
}


def prepare(
    source: Path,
    out: Path,
    labels: Path | None = None,
    labels_from_folders: bool = False,
    test_fraction: float = 0.0,
    seed: int = 0,
    placement: str = 'link',
    window: float = 0.0,
) -> dict[str, int]:
    """List all videos below a folder; unreadable ones go into ``left_out.txt``.

    Args:
        source: Folder with video files (VIDEO_SUFFIXES) at any depth.
        out: Folder to write ``videos/``, ``train.txt``, ``left_out.txt`` and, with labels,
            ``classes.txt``, ``test.txt`` and ``groups.json`` to.
        labels: Table of labels and groups, see :func:`read_labels`. Without it and
            ``labels_from_folders`` the lists have no labels, which is enough for pre-training.
        labels_from_folders: Take classes and groups from folders, see :func:`labels_of_folders`.
        test_fraction: Share of each class that is held out as ``test.txt``, 0..1.
        seed: Seed of the hold-out.
        placement: 'link', 'copy' or 'small', see :func:`copy_videos`.
        window: Seconds of a small copy: the windows of a recording are a group; 0: whole files.
    """
    fix = 'point --source at a folder with videos'
    require(source, fix)
    if test_fraction and not ((labels or labels_from_folders) and 0 < test_fraction < 1):
        raise DataError('--test-fraction: give 0 to 1, with --labels or --labels-from-folders')
    is_small = placement == 'small'
    lists = [out / 'train.txt', out / 'test.txt'] if is_small else []
    listed = [read_annotation(f, 'give another --out')[0] for f in lists if f.is_file()]
    if window and not is_small:
        raise DataError('--window: give it with --placement small')
    if labels and labels_from_folders:
        raise DataError('give --labels or --labels-from-folders, not both')
    videos, left_out = find_videos(source, out, fix)
    known = read_labels(labels, videos, source) if labels else {}
    if labels_from_folders:
        known = labels_of_folders(videos, source)
        left_out.update({p: 'lies in no class folder' for p in videos if p not in known})
    if not is_small:
        left_out.update(probe_videos([path for path in videos if path not in left_out]))
    for path in videos:
        if any('\ud800' <= letter <= '\udfff' for letter in str(path)):
            left_out[path] = 'its name is not UTF-8'
    readable = [path for path in videos if path not in left_out]
    class_of = {path: name for path, (name, _) in known.items() if name}
    equal = equal_files(readable, class_of)
    names = target_names(readable, source)
    if is_small:  # what cannot be copied cannot be used
        left_out.update(copy_videos({path: out / name for path, name in names.items()}, window))
    usable = {path: name for path, name in names.items() if path not in left_out}
    if not usable:
        why = next(iter(left_out.values()))
        raise DataError(f'{source}: none of {len(videos)} videos can be used, the first: {why}')
    (out / 'test.txt').unlink(missing_ok=True)  # earlier test videos may be in train.txt now
    classes = class_order({class_of[path] for path in usable if path in class_of})
    if test_fraction and not classes:
        raise DataError(f'--test-fraction: no video of {source} that can be used has a label')
    group_of = group_videos(usable, known, equal)
    label_of = {path: classes.index(class_of[path]) for path in usable if path in class_of}
    samples = [
        Video(path, copy.relative_to(out).as_posix(), label_of.get(path))
        for path, name in usable.items()
        for copy in (copies_at(out / name) if is_small else [out / name])
    ]
    groups = {sample.name: group_of[sample.source] for sample in samples}  # of windows too
    write_groups(out, groups)
    splits = {'train': samples}
    if classes:
        count = sum(sample.label is not None for sample in samples)
        print(f'{count} of {len(samples)} videos have a label, of {len(classes)} classes')
    if test_fraction:
        splits = split_samples(samples, groups, classes, test_fraction, seed)
    counts = write_videos(source, out, splits, classes, left_out, '' if is_small else placement)
    for path in (path_inside(out, name, out) for name in set().union(*listed) - groups.keys()):
        if is_copy(path):  # of a video that is gone or cannot be read any more; no other file
            path.unlink()
    return counts


def group_videos(
    names: dict[Path, str], known: dict[Path, tuple[str, str]], equal: list[list[Path]]
) -> dict[Path, str]:
    """Return {video: group, or else its name}; print which videos may be of one recording."""
    known_groups = {path: known[path][1] for path in names if path in known}
    group_of = {path: known_groups.get(path) or name for path, name in names.items()}
    for files in equal:
        joined = {group_of[path] for path in files if path in group_of}
        group_of.update({p: min(joined) for p, group in group_of.items() if group in joined})
    if copies := {path for files in equal for path in files[1:]}:
        first, second = equal[0][:2]
        print(f'{len(copies)} videos are equal to another and in its group: {second} to {first}')
    if not any(known_groups.values()):
        once = {p: name for p in known_groups if (name := known[p][0]) and p not in copies}
        print(describe_likely(once), end='')
    return group_of


def split_samples(
    samples: list[Video], groups: dict[str, str], classes: list[str], fraction: float, seed: int
) -> dict[str, list[Video]]:
    """Hold out labeled samples in whole groups; print untested classes, and what is in no list."""
    labeled = [sample for sample in samples if sample.label is not None]
    labeled_groups = [groups[sample.name] for sample in labeled]
    shared = labeled_groups if len(set(labeled_groups)) < len(labeled_groups) else None
    is_test = hold_out(np.array([sample.label for sample in labeled]), fraction, seed, shared)
    print(f'test.txt: {is_test.sum()} of {len(labeled)} videos are held out (seed {seed})')
    test = [labeled[index] for index in np.flatnonzero(is_test)]
    tested = {sample.label for sample in test}
    if missed := [name for label, name in enumerate(classes) if label not in tested]:
        print(f'test.txt has no video of {", ".join(missed)}')
    # Unlabeled videos of a test group must not be trained on either.
    excluded = {groups[sample.name] for sample in test}
    train = [sample for sample in samples if groups[sample.name] not in excluded]
    if left := len(samples) - len(test) - len(train):
        print(f'{left} videos without a label are in no list: their groups are in test.txt')
    return {'train': train, 'test': test}


def read_labels(table: Path, videos: Sequence[Path], source: Path) -> dict[Path, tuple[str, str]]:
    """Read {video: (class, group)} from a table; '' for a missing class or group.

    Args:
        table: CSV in UTF-8, with commas, semicolons or tabs. Its first line names the columns:
            ``video``, the path below ``source``; ``label``, the name of the class; and optionally
            ``group``, such as the person in the video.
        videos: Videos below ``source``. A video that is not in the table has no label.

    Raises:
        DataError: A column is unknown or missing, or a video is unknown or occurs twice.
    """
    fix = 'see docs/start/own_videos.md'
    by_name = {path.relative_to(source).as_posix(): path for path in videos}
    columns, rows = read_table(table, fix)
    if not {'video', 'label'} <= {*columns} <= {'video', 'label', 'group'}:
        raise DataError(f'{table}:1: the columns are {columns}, not video,label[,group]; {fix}')
    known: dict[Path, tuple[str, str]] = {}
    for where, row in rows:
        name, label, group = row['video'], row['label'], row.get('group', '')
        if not (path := by_name.get(name)):
            raise DataError(f'{where}: no video {name!r} below {source}: write its path or drop it')
        if path in known:
            raise DataError(f'{where}: names {name!r} again')
        if CONTROL.search(label + group):
            raise DataError(f'{where}: {label!r}, {group!r}: leave out control characters')
        known[path] = (label, group)
    return known


def class_order(names: set[str]) -> list[str]:
    """Sort names of classes: by number if all names are whole numbers, else by text."""
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def labels_of_folders(videos: Sequence[Path], source: Path) -> dict[Path, tuple[str, str]]:
    """{video: (class, group)}, from the first two folders below ``source`` that contain it."""
    folders = {path: path.relative_to(source).parts[:-1] for path in videos}
    return {path: (parts[0], (*parts, '')[1]) for path, parts in folders.items() if parts}


def target_names(paths: list[Path], source: Path) -> dict[Path, str]:
    """Return {path: name below the output folder}; blanks become '_'."""
    paths_by_name: dict[str, Path] = {}
    for path in paths:
        parts = ('_'.join(part.split()) for part in path.relative_to(source).parts)
        name = '/'.join(['videos', *parts])
        if (first := paths_by_name.setdefault(name, path)) != path:
            raise DataError(f'{path} and {first} would both be called {name}; rename one')
    return {path: name for name, path in paths_by_name.items()}
