"""Your own videos: any folder tree of video files."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import (
    VIDEO_SUFFIXES,
    Video,
    probe_videos,
    require,
    write_videos,
)

SETS = {'videos': 'your own videos: any folder tree'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this set alone."""
    parser.add_argument(
        '--labels-from-folders',
        action='store_true',
        help='the first folder below the source is the class',
    )
    parser.add_argument(
        '--test-fraction', type=float, default=0.0, help='of each class, to hold out as test.txt'
    )


def prepare(
    source: Path,
    out: Path,
    labels_from_folders: bool = False,
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
            the lists have no labels, which is enough for pre-training.
        test_fraction: Share of each class that is held out as ``test.txt``, 0..1. With 0 an earlier
            ``test.txt`` is removed, because its videos are in ``train.txt`` now.
        seed: Of the hold-out.
        placement: 'link' or 'copy'.
    """
    require(source, 'point --source at a folder with videos')
    if test_fraction and not (labels_from_folders and 0 < test_fraction < 1):
        raise DataError(
            f'--test-fraction {test_fraction}: give a share between 0 and 1, together with '
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
        raise DataError(
            f'{source}: no {", ".join(VIDEO_SUFFIXES)} file below this folder; '
            'point --source at a folder with videos'
        )
    left_out = probe_videos(found, source)
    if labels_from_folders:
        for path in found:
            if path.parent == source:
                left_out.setdefault(path.name, 'lies in no class folder')
    kept = [path for path in found if path.relative_to(source).as_posix() not in left_out]
    if not kept:
        raise DataError(
            f'{source}: none of {len(found)} videos can be used, the first '
            f'because: {next(iter(left_out.values()))}'
        )

    names = target_names(kept, source)
    (out / 'test.txt').unlink(missing_ok=True)
    if not labels_from_folders:
        videos = [Video(path, names[path], None) for path in kept]
        return write_videos(out, {'train': videos}, [], left_out, placement)
    folders = [path.relative_to(source).parts[0] for path in kept]
    classes = sorted(set(folders))
    labels = np.array([classes.index(folder) for folder in folders])
    videos = [Video(path, names[path], label) for path, label in zip(kept, labels.tolist())]
    splits = {'train': videos}
    if test_fraction:
        held = hold_out(labels, test_fraction, seed)
        splits = {
            split: [video for video, is_chosen in zip(videos, chosen) if is_chosen]
            for split, chosen in (('train', ~held), ('test', held))
        }
    return write_videos(out, splits, classes, left_out, placement)


def hold_out(labels: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Draw a class-balanced test split.

    Args:
        labels: int [N].
        fraction: Share of each class, 0..1; a class of two or more clips keeps at least one on each
            side.
        seed: Of the draw.

    Returns:
        np.ndarray: bool [N], True for the test split.
    """
    rng = np.random.default_rng(seed)
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            continue
        size = int(np.clip(round(fraction * len(members)), 1, len(members) - 1))
        test[rng.permutation(members)[:size]] = True
    return test


def target_names(paths: list[Path], source: Path) -> dict[Path, str]:
    """Return names below the output folder; blanks become '_'.

    Raises:
        DataError: Two files would get the same name.
    """
    taken: dict[str, Path] = {}
    for path in paths:
        parts = ('_'.join(part.split()) for part in path.relative_to(source).parts)
        name = '/'.join(['videos', *parts])
        if name in taken:
            raise DataError(
                f'{path} and {taken[name]} would both be called {name}; rename one of them'
            )
        taken[name] = path
    return {path: name for name, path in taken.items()}
