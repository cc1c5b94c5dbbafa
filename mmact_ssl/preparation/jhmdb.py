"""JHMDB (Jhuang et al. 2013) as short mp4 files with lists of a split by source video."""

from __future__ import annotations

from pathlib import Path

from rich.progress import track

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.files import (
    place_video,
    probe_videos,
    read_annotation,
    report_left_out,
    require,
    write_annotation,
    write_lines,
)


def prepare_jhmdb(source: Path, out: Path, placement: str = 'copy') -> dict[str, int]:
    """Copy the videos and write the lists; the source's split is kept line by line.

    Args:
        source: Folder with ``videos/*.mp4``, ``train.txt``, ``val.txt`` (or ``test.txt``) of lines
            ``videos/name.mp4 label``, and ``classes.txt``.
        out: Folder to write ``videos/``, ``train.txt``, ``test.txt``, ``classes.txt`` to.
        placement: 'copy' (byte-identical) or 'link'.

    Returns:
        dict: number of videos per split and of videos left out.

    Raises:
        DataError: if a part of the source is missing, a label has no class, or a video is
            listed in both splits.
    """
    fix = 'point --source at a folder with videos/, train.txt, val.txt and classes.txt'
    require(source, fix)
    test_list = source / 'val.txt' if (source / 'val.txt').exists() else source / 'test.txt'
    classes = require(source / 'classes.txt', fix).read_text().splitlines()
    splits = {
        'train': read_annotation(require(source / 'train.txt', fix)),
        'test': read_annotation(require(test_list, fix)),
    }
    both = {name for name, _ in splits['train']} & {name for name, _ in splits['test']}
    if both:
        raise DataError(
            f'{source}: {min(both)} is in train.txt and {test_list.name}; '
            'remove it from one of them'
        )
    entries = splits['train'] + splits['test']
    for name, label in entries:
        require(source / name, 'it is listed in the annotation; fetch the data set again')
        if label >= len(classes):
            raise DataError(f'{source}: label {label} of {name} has no line in classes.txt')

    bad = probe_videos([source / name for name, _ in entries])
    left_out = {str(path.relative_to(source)): why for path, why in bad.items()}
    for name, _ in track(entries, f'{placement} videos'):
        if name not in left_out:
            place_video(source / name, out / name, placement)
    counts = {}
    for split, split_entries in splits.items():
        kept = [(name, label) for name, label in split_entries if name not in left_out]
        write_annotation(out / f'{split}.txt', kept)
        counts[split] = len(kept)
    write_lines(out / 'classes.txt', classes)
    report_left_out(out, left_out)
    return {**counts, 'left_out': len(left_out)}
