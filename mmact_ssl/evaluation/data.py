"""Reading and checking the labeled splits of an evaluation."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmact_ssl.datasets.prepared_folder import CLASS_NAMES, make_lists, match_names, read_groups
from mmact_ssl.datasets.skeleton_folder import CLIPS, open_skeleton_folder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import dangling, read_annotation, read_text, video_path


@dataclass(frozen=True)
class Split:
    """One annotated split, in the order of its annotation file.

    Attributes:
        root: Folder of the videos, or prepared folder of the skeletons.
        names: Video paths below the root, or names of skeleton clips, N of them.
        labels: int64 ``(N,)``, from 0.
        skeletons: Hash of the prepared folder's coordinates and clips; '' for videos.
    """

    ann_file: str
    root: str
    names: list[str]
    labels: np.ndarray
    skeletons: str = ''

    def lines(self, indices: Iterable[int] | None = None) -> list[str]:
        """Lines of an annotation file, of all samples or those at ``indices``."""
        chosen = range(len(self.names)) if indices is None else indices
        return [f'{self.names[i]} {self.labels[i]}\n' for i in chosen]


def write_labeled_lists(cfg: Config, may_hold_out: bool = True) -> None:
    """Write lists of a prepared folder's labeled samples, and a missing test list; read these.

    Each change is printed. Lists that an option names stay as they are.

    Args:
        may_hold_out: False if a student was trained with labels of the folder: then a missing
            test list is a ConfigError.
    """
    folder = cfg.own_folder
    sets = {split: cfg[f'{split}_dataloader'].dataset for split in ('train', 'test')}
    unchanged = [split for split, dataset in sets.items() if dataset.ann_file == folder[split]]
    lists = folder.to_dict()
    if len(unchanged) == len(sets) and not may_hold_out and not os.path.isfile(lists['test']):
        raise ConfigError(
            f'{lists["root"]} has no test list, and the student was trained with its labels: '
            f'prepare the folder with one, `{folder["test_command"]}`, and train again'
        )
    for message in make_lists(lists, unchanged):
        print(message)
    for split in unchanged:
        sets[split].ann_file = lists[split]


def read_splits(cfg: Config) -> tuple[Split, Split, list[str]]:
    """Read the training and the test split of an evaluation, and the names of the classes.

    Raises:
        ConfigError: They share a sample or have one class, or their labels disagree with
            ``num_classes`` or with the names of the classes.
        DataError: See :func:`read_split` and :func:`class_names`.
    """
    fix = cfg.get('prepare_command', 'see docs/extend/data.md')
    train = read_split(cfg.train_dataloader.dataset, fix)
    test = read_split(cfg.test_dataloader.dataset, fix)
    files = [Path(split.ann_file).with_name(CLASS_NAMES) for split in (train, test)]
    lists = [read_text(file, fix).splitlines() for file in files if file.is_file()]
    for number, pair in enumerate(itertools.zip_longest(*lists), start=1):
        if len({*pair}) > 1:
            raise ConfigError(
                f'{files[1]}: line {number} is {pair[1]!r}, and {pair[0]!r} in {files[0]}: give '
                f'both lists the same classes in the same order; {fix}'
            )
    num_classes = cfg.model.cls_head.num_classes
    labels = np.unique(train.labels)
    if len(labels) < 2:
        raise ConfigError(f'{train.ann_file}: has one class, and an evaluation needs two or more')
    if labels[-1] >= num_classes:
        raise ConfigError(
            f'{train.ann_file}: {len(labels)} classes up to label {labels[-1]}, but the config has '
            f'model.cls_head.num_classes={num_classes}: set it to the number of classes'
        )
    classes = class_names(train, num_classes)
    if missing := sorted(set(range(num_classes)) - set(labels.tolist())):
        raise ConfigError(
            f'{train.ann_file}: {len(missing)} of {num_classes} classes have no labeled training '
            f'sample, e.g. {classes[missing[0]]!r}: label one of each class, or leave the class '
            'out of the data (and of model.cls_head.num_classes, if the config sets it)'
        )
    if test.labels.max() >= num_classes:
        raise ConfigError(
            f'{test.ann_file}: label {test.labels.max()} is not among the {num_classes} classes of '
            f'{train.ann_file}; {fix}'
        )
    # Independent of how the folder and the names are written.
    paths = [
        {os.path.normpath(os.path.join(os.path.realpath(s.root), name)) for name in s.names}
        for s in (train, test)
    ]
    if shared := paths[0] & paths[1]:
        raise ConfigError(
            f'{test.ann_file}: {len(shared)} samples are also in {train.ann_file}, e.g. '
            f'{min(shared)}; {fix}'
        )
    return train, test, classes


def read_split(dataset: dict, prepare_command: str) -> Split:
    """Read the annotation file of a data set's config and check that its samples are there.

    Args:
        dataset: Config with ``ann_file`` and ``data_prefix``, of ``video`` or ``skeleton``.
        prepare_command: Quoted in every error as the fix.

    Raises:
        DataError: A sample is missing, has no label or stands twice, or the label of a skeleton
            clip is not the folder's.
    """
    ann_file, prefix = dataset['ann_file'], dataset.get('data_prefix') or {}
    names, labels = read_annotation(ann_file, prepare_command)
    paths = [os.path.normpath(name) for name in names]
    counts = Counter(paths)
    if len(counts) < len(names):
        repeated = next(name for name, path in zip(names, paths) if counts[path] > 1)
        raise DataError(
            f'{ann_file}: {repeated!r} stands in {counts[os.path.normpath(repeated)]} lines '
            f'({len(names)} lines name {len(counts)} samples): leave one line for each sample; '
            f'{prepare_command}'
        )
    if -1 in labels:
        unlabeled = names[labels.index(-1)]
        raise DataError(f'{ann_file}: {unlabeled!r} has no label; {prepare_command}')
    if 'skeleton' in prefix:
        root, why = prefix['skeleton'], 'no such skeleton clip'
        folder = open_skeleton_folder(root, prepare_command)
        skeletons = folder.content_hash
        of_folder = dict(zip(folder.names.tolist(), folder.labels.tolist()))
        missing = [name for name in names if name not in of_folder]
        told = dict(zip(names, labels))
        wrong = [n for n, label in told.items() if of_folder.get(n, -1) not in (-1, label)]
        if wrong:
            raise DataError(
                f'{ann_file}: {wrong[0]!r} has the label {told[wrong[0]]}, and '
                f'{of_folder[wrong[0]]} in {folder.path / CLIPS} ({len(wrong)} of {len(told)} '
                "labels differ): write the folder's labels into the list, or prepare a folder "
                f"with the list's labels; {prepare_command}"
            )
    else:
        root = prefix.get('video') or ''
        skeletons = ''
        missing = [name for name in names if not os.path.isfile(video_path(root, name))]
        why = dangling(os.path.join(root, missing[0])) if missing else ''
        why = why or 'no such video'
    if missing:
        raise DataError(
            f'{os.path.join(root, missing[0])}: {why} ({len(missing)} of '
            f'{len(names)} in {ann_file} are missing); {prepare_command}'
        )
    return Split(ann_file, root, names, np.asarray(labels, dtype=np.int64), skeletons)


def class_names(split: Split, num_classes: int) -> list[str]:
    """Read the names from ``classes.txt`` beside the annotation, or number the classes."""
    path = Path(split.ann_file).with_name(CLASS_NAMES)
    if not path.is_file():
        return [str(label) for label in range(num_classes)]
    names = read_text(path, 'prepare the folder again').splitlines()
    if len(names) != num_classes:
        raise DataError(f'{path}: {len(names)} lines for {num_classes} classes; write one a class')
    return names


def share_labels(train: Split, labeled: np.ndarray, pattern: str | None) -> np.ndarray:
    """Add the samples that share a labeled sample's label, such as other cameras' recordings.

    Args:
        labeled: Sorted positions in ``train``.
        pattern: Regular expression; its groups are equal in the names of samples that share a
            label. None adds nothing.

    Returns:
        Sorted positions in ``train``.

    Raises:
        ConfigError: A name does not match, or the pattern has no group.
        DataError: Samples that should share a label have different ones.
    """
    if pattern is None:
        return labeled
    members: dict[tuple, list[int]] = {}
    for position, groups in enumerate(match_names(train.names, pattern, 'shared_label_pattern')):
        members.setdefault(groups, []).append(position)
    drawn = set(labeled.tolist())
    extended: list[int] = []
    for positions in members.values():
        if drawn.intersection(positions):
            labels = np.unique(train.labels[positions])
            if len(labels) > 1:
                raise DataError(
                    f'{train.ann_file}: {train.names[positions[0]]} and samples that share its '
                    f'label by shared_label_pattern {pattern!r} have the labels {labels.tolist()}'
                )
            extended += positions
    return np.sort(np.asarray(extended, dtype=np.int64))


def sample_groups(
    names: Sequence[str], group_pattern: str | None = None, group_file: str | None = None
) -> np.ndarray | None:
    """Group the samples that folds must not separate, by a config's settings of a protocol.

    A pattern with one group gives the sample's group (a subject, a source video). A pattern with
    two groups gives a series and a clip's number in it. The clips of one source have consecutive
    numbers, so each run of numbers without a gap is a group.

    Args:
        names: Names of all samples of a split; a part of them would have other gaps.
        group_pattern: Regular expression.
        group_file: File ``{sample: group}`` of a prepared folder, in place of a pattern.

    Returns:
        ``(N,)``, equal for samples of one group; None without a pattern and a file.

    Raises:
        ConfigError: A name does not match, the pattern has no group, or its second is not a number.
    """
    if group_file is not None:
        return read_groups(group_file, names)
    if group_pattern is None:
        return None
    groups = match_names(names, group_pattern, 'group_pattern')
    if len(groups[0]) == 1:
        return np.asarray([group for (group,) in groups])
    for name, (_, number, *_) in zip(names, groups):
        if not (number or '').isdecimal():
            raise ConfigError(
                f'group_pattern {group_pattern!r} finds {number!r} in {name!r}, not a '
                'number; let its second group match digits'
            )
    order = sorted(range(len(groups)), key=lambda i: (groups[i][0], int(groups[i][1])))
    runs = np.zeros(len(groups), dtype=np.int64)
    for previous, i in itertools.pairwise(order):
        (series, number), (name, last) = groups[i], groups[previous]
        runs[i] = runs[previous] + (series != name or int(number) > int(last) + 1)
    return runs
