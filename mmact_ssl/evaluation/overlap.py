"""Finds test samples whose labels were used in training, under other names of the data set."""

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
    """Warn where the list whose labels a student has read holds test samples.

    It is the list that the checkpoint's config names. Published files name none, and a list may be
    gone: there is no warning then. Our choice.

    Args:
        train, test: Splits of the evaluation; nothing is said of a student that was trained with
            samples of ``train``.
    """
    if student.labels_read is None:
        return
    loader = student.config.get('train_dataloader')
    ann_file, prefix = find_value(loader, 'ann_file'), find_value(loader, 'data_prefix')
    with suppress(DataError, OSError, TypeError, KeyError):  # gone, or of the other kind
        if not os.path.isfile(ann_file):  # the checkpoint names it: a device or pipe never ends
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
    """Test videos whose file name, size and content one of ``names`` has too."""
    read: dict[tuple[str, int], list[Path]] = {}
    for path in (Path(root, name) for name in names):
        if path.is_file():
            read.setdefault((path.name, path.stat().st_size), []).append(path)
    shared = []
    for name in test.names:
        path = Path(test.root, name)
        alike = read.get((path.name, path.stat().st_size), []) if path.is_file() else []
        if any(filecmp.cmp(path, one, shallow=False) for one in alike):
            shared.append(name)
    return shared


def _same_skeletons(root: str, names: Sequence[str], test: Split) -> list[str]:
    """Test clips whose length and first frame one of ``names`` has too, if a person is in it."""
    # Not at the top: it imports mmaction2, which videos do without.
    from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder

    def by_frame(root: str, names: Sequence[str]) -> dict[Hashable, str]:
        folder = open_skeleton_folder(root, '')
        coordinates, wanted = folder.open_coordinates(), set(names)
        clips = zip(folder.names.tolist(), folder.starts.tolist(), folder.lengths.tolist())
        return {
            (length, coordinates[start].tobytes()): name
            for name, start, length in clips
            if name in wanted and np.any(coordinates[start])
        }

    read, tests = by_frame(root, names), by_frame(test.root, test.names)
    return [name for key, name in tests.items() if key in read]
