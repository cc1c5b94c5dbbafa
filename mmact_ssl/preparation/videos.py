"""Your own videos: any folder tree of video files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.progress import track

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import (
    VIDEO_SUFFIXES,
    place_video,
    probe_videos,
    report_left_out,
    require,
    write_annotation,
    write_lines,
)


def hold_out(labels: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Choose a class-balanced test split.

    Args:
        labels: int [N].
        fraction: Of each class, 0..1; a class of two or more clips keeps at least one on each side.
        seed: Of the draw.

    Returns:
        np.ndarray: bool [N], True for the test split.
    """
    if not 0.0 < fraction < 1.0:
        raise ValueError(f'test fraction {fraction}: give a number between 0 and 1')
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
    """Names below the output folder; blanks, which annotation lines cannot hold, become '_'.

    Raises:
        DataError: if two files would get the same name.
    """
    names: dict[Path, str] = {}
    taken: dict[str, Path] = {}
    for path in paths:
        name = '/'.join(
            ['videos', *('_'.join(part.split()) for part in path.relative_to(source).parts)]
        )
        if name in taken:
            raise DataError(
                f'{path} and {taken[name]} would both be called {name}; rename one of them'
            )
        names[path] = name
        taken[name] = path
    return names


def prepare_videos(
    source: Path,
    out: Path,
    labels_from_folders: bool = False,
    test_fraction: float = 0.0,
    seed: int = 0,
    placement: str = 'link',
) -> dict[str, int]:
    """List all videos below a folder, leaving out (and naming) those that do not open.

    Args:
        source: Folder; mp4, avi, mkv and webm files at any depth.
        out: Folder to write ``videos/``, ``train.txt``, ``left_out.txt`` and, with labels,
            ``classes.txt`` and ``test.txt`` to.
        labels_from_folders: The first folder below ``source`` is a video's class; without it
            the lists have no labels, which is all that pre-training needs.
        test_fraction: Of each class, held out as ``test.txt``; 0 for none, and the list of an
            earlier hold-out, whose videos are trained on now, is removed.
        seed: Of the hold-out.
        placement: 'link' or 'copy'.

    Returns:
        dict: number of videos per split and of videos left out.

    Raises:
        DataError: if there is no usable video, or a hold-out is asked for without labels.
    """
    require(source, 'point --source at a folder with videos')
    if test_fraction and not labels_from_folders:
        raise DataError('--test-fraction balances classes and needs --labels-from-folders')
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
    left_out = {str(path.relative_to(source)): why for path, why in probe_videos(found).items()}
    if labels_from_folders:
        left_out |= {
            path.name: 'lies in no class folder'
            for path in found
            if path.parent == source and path.name not in left_out
        }
    kept = [path for path in found if str(path.relative_to(source)) not in left_out]
    if not kept:
        raise DataError(
            f'{source}: none of {len(found)} videos can be used, the first '
            f'because: {next(iter(left_out.values()))}'
        )

    names = target_names(kept, source)
    for path in track(kept, f'{placement} videos'):
        place_video(path, out / names[path], placement)
    (out / 'test.txt').unlink(missing_ok=True)
    counts = {'train': len(kept)}
    if labels_from_folders:
        folders = [path.relative_to(source).parts[0] for path in kept]
        classes = sorted(set(folders))
        labels = np.array([classes.index(folder) for folder in folders])
        write_lines(out / 'classes.txt', classes)
        test = np.zeros(len(kept), dtype=bool)
        if test_fraction:
            test = hold_out(labels, test_fraction, seed)
            write_annotation(
                out / 'test.txt',
                (
                    (names[path], int(label))
                    for path, label, held in zip(kept, labels, test)
                    if held
                ),
            )
        write_annotation(
            out / 'train.txt',
            (
                (names[path], int(label))
                for path, label, held in zip(kept, labels, test)
                if not held
            ),
        )
        counts = {'train': int((~test).sum()), 'test': int(test.sum())}
    else:
        write_annotation(out / 'train.txt', ((names[path], None) for path in kept))
    report_left_out(out, left_out)
    return {**counts, 'left_out': len(left_out)}
