"""Your own videos: any folder tree of video files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import VIDEO_SUFFIXES, Video, probe_videos, require, write_videos
from mmact_ssl.preparation.own_folder import hold_out, write_groups

SETS = {'videos': 'your own videos: any folder tree'}
OPTIONS = {
    'labels_from_folders': dict(
        action='store_true', help='the first folder below the source is the class'
    ),
    'unlabeled': dict(help='folder below the source whose videos have no label'),
    'test_fraction': dict(type=float, help='of each class, to hold out as test.txt'),
}


def prepare(
    source: Path,
    out: Path,
    labels_from_folders: bool = False,
    unlabeled: str | None = None,
    test_fraction: float = 0.0,
    seed: int = 0,
    placement: str = 'link',
) -> dict[str, int]:
    """List all videos below a folder; those that do not open are left out and named.

    Args:
        source: Folder; mp4, avi, mkv and webm files at any depth.
        out: Folder to write ``videos/``, ``train.txt``, ``left_out.txt`` and, with labels,
            ``classes.txt`` and ``test.txt`` to.
        labels_from_folders: The first folder below ``source`` is a video's class; without it
            the lists have no labels, which is enough for pre-training. Videos in one folder below
            that of the class (a subject's, a session's) belong together: ``groups.json``.
        unlabeled: Name of the folder below ``source`` whose videos have no label, and are
            for pre-training alone.
        test_fraction: Share of each class that is held out as ``test.txt``, 0..1.
        seed: Of the hold-out.
        placement: 'link' or 'copy'.
    """
    fix = 'point --source at a folder with videos'
    require(source, fix)
    if test_fraction and not (labels_from_folders and 0 < test_fraction < 1):
        raise DataError('--test-fraction: give 0 to 1, together with --labels-from-folders')
    if unlabeled is not None:
        unlabeled = os.path.normpath(unlabeled)  # without the slash of a shell's completion
        folders = {path.name for path in source.iterdir() if path.is_dir()}
        if unlabeled not in folders or not labels_from_folders:
            raise DataError(
                f'--unlabeled {unlabeled}: name a folder of {source}, together with '
                '--labels-from-folders'
            )
    found = sorted(
        path
        for path in source.rglob('*')
        if path.suffix.lower() in VIDEO_SUFFIXES
        and path.is_file()
        and out.resolve() not in path.absolute().parents
    )
    if not found:
        raise DataError(f'{source}: no {", ".join(VIDEO_SUFFIXES)} file below this folder; {fix}')
    left_out = probe_videos(found, source)
    for path in found:
        if not os.fsencode(path).isascii() and any('\ud800' <= c <= '\udfff' for c in str(path)):
            left_out[path.relative_to(source).as_posix()] = 'its name is not UTF-8'
    if labels_from_folders:
        for path in found:
            if path.parent == source:
                left_out.setdefault(path.name, 'lies in no class folder')
    kept = [path for path in found if path.relative_to(source).as_posix() not in left_out]
    if not kept:
        why = next(iter(left_out.values()))
        raise DataError(f'{source}: none of {len(found)} videos can be used, the first: {why}')

    names = target_names(kept, source)
    (out / 'test.txt').unlink(missing_ok=True)  # of before: its videos may be in train.txt now
    first = [path.relative_to(source).parts[0] for path in kept]
    classes = sorted({*first} - {unlabeled}) if labels_from_folders else []
    if test_fraction and not classes:
        raise DataError(f'--test-fraction: {source} has no class folder beside {unlabeled}')
    labels = [classes.index(folder) if folder in classes else None for folder in first]
    inner = {path: path.relative_to(source).parts[1:-1] for path in kept} if classes else {}
    # A video right below its class is a group of its own.
    groups = {names[path]: (*parts, names[path])[0] for path, parts in inner.items()}
    write_groups(out, groups)
    videos = [Video(path, names[path], label) for path, label in zip(kept, labels)]
    splits = {'train': videos}
    if test_fraction:
        labeled = [video for video in videos if video.label is not None]
        together = [groups[video.name] for video in labeled]
        known = together if len(set(together)) < len(together) else None
        held, how = hold_out(np.array([v.label for v in labeled]), test_fraction, seed, known)
        print(f'test.txt: {held.sum()} of {len(held)} videos, held out {how} (seed {seed})')
        tests = {video.name: video for video, is_held in zip(labeled, held) if is_held}
        train = [video for video in videos if video.name not in tests]
        splits = {'train': train, 'test': [*tests.values()]}
    return write_videos(out, splits, classes, left_out, placement)


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
