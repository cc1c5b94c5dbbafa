"""The labelled splits that a downstream config names: reading, checking, drawing a part of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmact_ssl.errors import ConfigError, DataError


@dataclass(frozen=True)
class Split:
    """One annotated split, in the order of its annotation file.

    Attributes:
        ann_file: Path of the annotation file.
        root: Folder that the names are relative to.
        names: Video paths as written, N of them.
        labels: int64 [N], from 0.
    """

    ann_file: str
    root: str
    names: list[str]
    labels: np.ndarray


def read_split(dataset: dict, prepare_command: str) -> Split:
    """Read the annotation file of an mmaction2 ``VideoDataset`` config and check that it is whole.

    Args:
        dataset: Config with ``ann_file`` and ``data_prefix=dict(video=...)``.
        prepare_command: Quoted in every error as the mend.

    Raises:
        DataError: The annotation file or a video is missing, or a line is not ``path label``.
    """
    ann_file, root = dataset['ann_file'], (dataset.get('data_prefix') or {}).get('video') or ''
    if not os.path.isfile(ann_file):
        raise DataError(f'{ann_file}: no such annotation file; make it: {prepare_command}')
    names, labels = [], []
    for number, line in enumerate(Path(ann_file).read_text(encoding='utf-8').splitlines(), 1):
        name, _, label = line.strip().rpartition(' ')
        if not name or not label.isdigit():
            raise DataError(
                f'{ann_file}:{number}: {line.strip()!r} is not "path label"; {prepare_command}'
            )
        names.append(name)
        labels.append(int(label))
    if not names:
        raise DataError(f'{ann_file}: no samples; make it again: {prepare_command}')
    missing = [name for name in names if not os.path.isfile(os.path.join(root, name))]
    if missing:
        raise DataError(
            f'{os.path.join(root, missing[0])}: no such video ({len(missing)} of {len(names)} in '
            f'{ann_file} are missing); {prepare_command}'
        )
    return Split(ann_file, root, names, np.asarray(labels, dtype=np.int64))


def read_splits(cfg: Config) -> tuple[Split, Split]:
    """Read the training and the test split and check both against the config's ``num_classes``.

    Args:
        cfg: Downstream config with ``train_dataloader``, ``test_dataloader``, ``model.cls_head``
            and ``prepare_command``.

    Returns:
        Training split, test split.

    Raises:
        DataError: As :func:`read_split`.
        ConfigError: The labels do not agree with ``num_classes``, or the splits share a video.
    """
    mend = cfg.get('prepare_command', 'see docs/data.md')
    train = read_split(cfg.train_dataloader.dataset, mend)
    test = read_split(cfg.test_dataloader.dataset, mend)
    num_classes = cfg.model.cls_head.num_classes
    found = np.unique(train.labels)
    if len(found) != num_classes or found[-1] != num_classes - 1:
        raise ConfigError(
            f'{train.ann_file}: {len(found)} classes, the highest label is {found[-1]}, but the '
            f'config says model.cls_head.num_classes={num_classes}; set it to what the data has'
        )
    if test.labels.max() >= num_classes:
        raise ConfigError(
            f'{test.ann_file}: label {test.labels.max()} is not among the {num_classes} classes of '
            f'{train.ann_file}; {mend}'
        )
    shared = {os.path.join(train.root, name) for name in train.names} & {
        os.path.join(test.root, name) for name in test.names
    }
    if shared:
        raise ConfigError(
            f'{test.ann_file}: {len(shared)} videos are also in {train.ann_file}, e.g. '
            f'{min(shared)}; {mend}'
        )
    return train, test


def label_subset(
    names: Sequence[str], labels: np.ndarray, fraction: float, seed: int
) -> np.ndarray:
    """Draw the labelled part of a training split, the same share of every class.

    Each class keeps ``max(1, round(fraction * size))`` samples. The draw depends on the names of a
    class and the seed alone, not on the order of the file nor on other classes, and at one seed a
    smaller fraction is a part of a larger one.

    Args:
        names: N video names, all different.
        labels: int [N].
        fraction: 0 < fraction <= 1.
        seed: Of the draw.

    Returns:
        int64, sorted positions in ``names``.

    Raises:
        ConfigError: The fraction is out of range.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f'label fraction {fraction}: choose 0 < fraction <= 1')
    chosen: list[int] = []
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label), key=lambda i: names[i])
        generator = np.random.default_rng([seed, int(label)])
        keep = max(1, round(fraction * len(members)))
        chosen += [members[i] for i in generator.permutation(len(members))[:keep]]
    return np.sort(np.asarray(chosen, dtype=np.int64))


def groups_by_pattern(names: Sequence[str], pattern: str | None) -> np.ndarray | None:
    """Group samples by what a regular expression finds in their names (a subject, a source video).

    Args:
        names: N video names.
        pattern: Regular expression with one group, or None for no grouping.

    Returns:
        str array [N], or None.

    Raises:
        ConfigError: A name does not match.
    """
    if pattern is None:
        return None
    found = [re.search(pattern, name) for name in names]
    if None in found:
        raise ConfigError(
            f'group_pattern {pattern!r} does not match {names[found.index(None)]!r}; mend '
            'linear.group_pattern'
        )
    return np.asarray([match.group(1) for match in found if match is not None])
