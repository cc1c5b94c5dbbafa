"""Search for test samples whose labels were used in training, under another data set's name."""

from __future__ import annotations

import filecmp
import logging
import os
from collections.abc import Hashable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.files import read_annotation
from mmact_ssl.saved_run import SavedRun, find_value


def warn_of_tests_read(student: SavedRun, train: Split, test: Split) -> None:
    """Warn if a student was trained with labels of test samples.

    The training list is that of the checkpoint's config. There is no warning for published files,
    which have no list, or if the list is gone. Our choice.

    Args:
        train, test: Splits of the evaluation; there is no warning if the student was trained with
            samples of ``train``.
    """
    if student.labels_read is None:
        return
    loader = student.config.get('train_dataloader')
    ann_file, prefix = find_value(loader, 'ann_file'), find_value(loader, 'data_prefix')
    with suppress(DataError, OSError, TypeError, KeyError):  # gone, or of the other kind
        if not os.path.isfile(ann_file):  # the path is untrusted: a device or pipe never ends
            return
        names, labels = read_annotation(ann_file, '')
        labeled = [name for name, label in zip(names, labels) if label >= 0]
        if set(labeled) <= set(train.names):
            return
        root = prefix['skeleton' if test.skeletons else 'video']
        find = _same_skeletons if test.skeletons else _same_videos
        if shared := find(root, labeled, test):
            print_log(
                f'{student.path} was trained with labels of {ann_file}, which holds {len(shared)} '
                f'of the {len(test.names)} test clips of {test.ann_file}, such as {min(shared)}: '
                'the result is too high, evaluate a student that has not read them',
                'current',
                logging.WARNING,
            )


def _same_videos(root: str, names: Sequence[str], test: Split) -> list[str]:
    """Test videos that have the file name, size and content of a video in ``names``."""
    read: dict[tuple[str, int], list[Path]] = {}
    for path in (Path(root, name) for name in names):
        if path.is_file():
            read.setdefault((path.name, path.stat().st_size), []).append(path)
    shared = []
    for name in test.names:
        path = Path(test.root, name)
        alike = read.get((path.name, path.stat().st_size), []) if path.is_file() else []
        if any(filecmp.cmp(path, other, shallow=False) for other in alike):
            shared.append(name)
    return shared


def _same_skeletons(root: str, names: Sequence[str], test: Split) -> list[str]:
    """Test clips with the length and the first, not empty frame of a clip in ``names``."""
    # Not at the top: it imports mmaction2, which videos do not need.
    from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder

    def by_frame(root: str, names: Sequence[str]) -> dict[Hashable, str]:
        folder = open_skeleton_folder(root, '')
        coordinates, selected = folder.open_coordinates(), set(names)
        clips = zip(folder.names.tolist(), folder.starts.tolist(), folder.lengths.tolist())
        return {
            (length, coordinates[start].tobytes()): name
            for name, start, length in clips
            if name in selected and np.any(coordinates[start])
        }

    read, tests = by_frame(root, names), by_frame(test.root, test.names)
    return [name for key, name in tests.items() if key in read]
