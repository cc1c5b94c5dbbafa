"""Checks of the data set of a student, and of the labels read in fine-tuning or joint training."""

from __future__ import annotations

import filecmp
import logging
import os
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log

from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.data import Split, read_splits
from mmact_ssl.files import hash_names
from mmact_ssl.saved_run import LABELS_KEY, LabelsRead, SavedRun, find_value, labeled_names
from mmact_ssl.shipped_configs import SETS, read_set


def note_labels(
    cfg: Config,
    fraction: float,
    seed: int,
    names: Iterable[str],
    starts: Iterable[LabelsRead | None] = (),
) -> None:
    """Record in a config which labels its training reads; checkpoints contain the config.

    Args:
        fraction, seed: Of the labels and of their draw.
        names: Labeled samples of the training list.
        starts: Labels that the starting weights have read.
    """
    folder_hash = cfg.get('own_folder', {}).get('train_hash', '')
    shared = cfg.get('shared_label_pattern') or ''
    read = LabelsRead(cfg.dataset_name, fraction, seed, hash_names(names), folder_hash, shared)
    earlier = LabelsRead.join(starts)
    cfg[LABELS_KEY] = asdict(replace(read, earlier=earlier.records if earlier else ()))


def check_labels_read(student: SavedRun, cfg: Config, fraction: float, seed: int) -> None:
    """Refuse a student that was trained with labels which an evaluation does not draw.

    Raises:
        ConfigError: The student was trained with labels that are not drawn.
    """
    for read in records_of(student, cfg) if fraction < 1 else ():
        is_shared = read.shared not in ('', cfg.get('shared_label_pattern'))
        if seed == read.seed and fraction >= read.fraction and not is_shared:
            continue
        draw = '' if read.fraction == 1 else f' --seed {read.seed}'
        if draw and is_shared:
            draw += f" --cfg-options 'shared_label_pattern={read.shared}'"
        raise ConfigError(
            f'{student.path} was trained with labels of {read.dataset} that are not drawn here, so '
            f'its features know more labels than a fraction of {fraction:g} with seed {seed}: '
            f'give --label-fraction {read.fraction:g}{draw}, or a student that has not read them'
        )


def records_of(student: SavedRun, cfg: Config) -> list[LabelsRead]:
    """Labels of a config's data set that a student was trained with.

    A record is of the data set if the name or the training list is the same.
    """
    of_set: list[LabelsRead] = []
    others: list[LabelsRead] = []
    for read in student.labels_read.records if student.labels_read else ():
        is_hashed = read.train_hash or read.folder_hash
        is_same = read.dataset == cfg.dataset_name or (
            not is_hashed and _has_shipped_list(read.dataset, cfg)
        )
        (of_set if is_same else others).append(read)
    if others:
        own = hash_names(read_splits(cfg)[0].names)
        of_set += [read for read in others if own in (read.train_hash, read.folder_hash)]
    return of_set


def _has_shipped_list(dataset: str, cfg: Config) -> bool:
    """True if a data set is a shipped one with the training list of a config."""
    shipped = {path.stem for path in SETS.glob('*.py') if not path.stem.startswith('folder')}
    if dataset not in shipped:
        return False
    ann_file = read_set(dataset)['train_set']['ann_file']
    own = find_value(cfg.get('train_dataloader'), 'ann_file')
    return isinstance(own, str) and os.path.abspath(own) == os.path.abspath(ann_file)


def warn_of_other_set(student: SavedRun, cfg: Config) -> None:
    """Warn if a student was trained on another data set than a config's.

    There is no warning for a shipped set with the same training list.
    """
    trained, dataset = student.dataset_name, cfg.dataset_name
    if trained in ('', dataset) or _has_shipped_list(trained, cfg):
        return
    print_log(
        f'{student.path} was trained on {trained}, and its results are recorded as of a student '
        f'trained on {dataset}: --pretrained-on {trained} records where it was trained',
        'current',
        logging.WARNING,
    )


def check_training_list(student: SavedRun, dataset: str, names: Iterable[str]) -> None:
    """Refuse a network that was trained with labels of another list of the data set.

    Raises:
        ConfigError: The other list may have contained test clips.
    """
    records = student.labels_read.records if student.labels_read else ()
    hashes = {read.train_hash for read in records if read.dataset == dataset}
    if hashes and not hashes <= {'', hash_names(names)}:
        raise ConfigError(
            f'{student.path} was trained with labels of another training list of {dataset}, which '
            'may have contained test clips: train again with the list of this config'
        )


def warn_of_tests_read(student: SavedRun, train: Split, test: Split) -> None:
    """Warn if a student was trained with labels of test samples, under another data set's name.

    The training list is that of the checkpoint's config. There is no warning for published files,
    which have no list, or if the list is gone. Our choice.

    Args:
        train, test: Splits of the evaluation; there is no warning if the student was trained with
            samples of ``train``.
    """
    if student.labels_read is None or not (student.is_joint or student.is_recognizer):
        return
    loader = student.config.get('train_dataloader')
    ann_file, prefix = find_value(loader, 'ann_file'), find_value(loader, 'data_prefix')
    with suppress(DataError, OSError, TypeError, KeyError):  # gone, or of the other kind
        labeled = labeled_names(ann_file)
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
