"""JHMDB (Jhuang et al. 2013) as short mp4 files with lists of a split by source video."""

from __future__ import annotations

from pathlib import Path

from mmact_ssl.io.files import path_inside, read_annotation, read_text
from mmact_ssl.preparation.files import Video, require, write_usable_videos

SETS = {'jhmdb': 'JHMDB: real video, 21 actions'}


def prepare(source: Path, out: Path, placement: str = 'copy') -> dict[str, int]:
    """Copy the videos and write the lists in the order of the source's split.

    Args:
        source: Folder with ``videos/*.mp4``, ``train.txt``, ``val.txt`` (or ``test.txt``) of lines
            ``videos/name.mp4 label``, and ``classes.txt``.
        out: Folder to write ``videos/``, ``train.txt``, ``test.txt``, ``classes.txt`` to.
        placement: 'copy' (byte-identical) or 'link'.
    """
    fix = 'point --source at a folder with videos/, train.txt, val.txt and classes.txt'
    require(source, fix)
    test_list = source / 'val.txt' if (source / 'val.txt').exists() else source / 'test.txt'
    classes = read_text(source / 'classes.txt', fix).splitlines()
    splits = {
        split: [
            Video(path_inside(source, name, path), name, label)
            for name, label in zip(*read_annotation(path, fix))
        ]
        for split, path in (('train', source / 'train.txt'), ('test', test_list))
    }
    for video in splits['train'] + splits['test']:
        require(video.source, 'it is listed in the annotation; fetch the data set again')
    return write_usable_videos(source, out, splits, classes, placement)
