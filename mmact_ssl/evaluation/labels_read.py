"""Checks of the labels that a student read in fine-tuning or joint training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict

from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.saved_run import LABELS_KEY, LabelsRead, SavedRun


def note_labels(cfg: Config, fraction: float, seed: int, names: Iterable[str]) -> None:
    """Record in a config which labels its training reads; checkpoints contain the config."""
    folder_hash = cfg.get('own_folder', {}).get('train_hash', '')
    shared = cfg.get('shared_label_pattern') or ''
    read = LabelsRead(cfg.dataset_name, fraction, seed, _hash(names), folder_hash, shared)
    cfg[LABELS_KEY] = asdict(read)


def check_labels_read(student: SavedRun, cfg: Config, fraction: float, seed: int) -> None:
    """Refuse a student that was trained with labels which an evaluation does not draw.

    Args:
        student: Record of its file.
        cfg: Config of the evaluation.
        fraction, seed: Fraction of the labels to draw, and the seed of the draw.

    Raises:
        ConfigError: The student was trained with labels that are not drawn.
    """
    read = student.labels_read
    if read is None or fraction == 1 or not has_read_labels(student, cfg):
        return
    is_shared = read.shared not in ('', cfg.get('shared_label_pattern'))
    if seed != read.seed or fraction < read.fraction or is_shared:
        draw = '' if read.fraction == 1 else f' --seed {read.seed}'
        if draw and is_shared:
            draw += f" --cfg-options 'shared_label_pattern={read.shared}'"
        raise ConfigError(
            f'{student.path} was trained with labels of {read.dataset} that are not drawn here, so '
            f'its features know more labels than a fraction of {fraction:g} with seed {seed}: '
            f'give --label-fraction {read.fraction:g}{draw}, or a student that has not read them'
        )


def has_read_labels(student: SavedRun, cfg: Config) -> bool:
    """True if a student was trained with labels of a config's data set.

    The data set is that of the student if it has the same name or the same training list (a joint
    training records the list of a user's folder only).
    """
    read = student.labels_read
    if read is None or read.dataset == cfg.dataset_name:
        return read is not None
    return _hash(read_splits(cfg)[0].names) in (read.train_hash, read.folder_hash)


def check_training_list(student: SavedRun, dataset: str, names: Iterable[str]) -> None:
    """Refuse a network that was fine-tuned with another training list of the data set.

    Args:
        student: Record of its file.
        dataset: Name of the evaluation's data set.
        names: Names of the samples in its training list.

    Raises:
        ConfigError: The other list may have contained test clips.
    """
    read = student.labels_read
    if read and read.dataset == dataset and read.train_hash not in ('', _hash(names)):
        raise ConfigError(
            f'{student.path} was fine-tuned with another training list of {dataset}, which may '
            'have contained test clips: fine-tune again with the list of this config'
        )


def _hash(names: Iterable[str]) -> str:
    return hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()[:16]
