"""The labels that a student has read before it is evaluated: fine-tuned, or trained jointly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict

from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.saved_run import LABELS_KEY, LabelsRead, SavedRun


def note_labels(cfg: Config, fraction: float, seed: int, names: Iterable[str]) -> None:
    """Write into a config which labels its training reads, for the checkpoint that carries it."""
    folder_hash = cfg.get('own_folder', {}).get('train_hash', '')
    shared = cfg.get('shared_label_pattern') or ''
    read = LabelsRead(cfg.dataset_name, fraction, seed, _hash(names), folder_hash, shared)
    cfg[LABELS_KEY] = asdict(read)


def check_labels_read(student: SavedRun, cfg: Config, fraction: float, seed: int) -> None:
    """Refuse a student that knows labels of a data set which an evaluation does not draw.

    Args:
        student: What its file records.
        cfg: Of the evaluation. Its data set is the student's where it has the name of that, or its
            training list (which a joint training notes of a folder of one's own alone).
        fraction, seed: Of the labels that are drawn.

    Raises:
        ConfigError: Labels that are not drawn have trained the student.
    """
    read = student.labels_read
    if read is None or fraction == 1:
        return
    if read.dataset != cfg.dataset_name:
        own = _hash(read_splits(cfg)[0].names)
        if own not in (read.train_hash, read.folder_hash):
            return
    is_shared = read.shared not in ('', cfg.get('shared_label_pattern'))
    if seed != read.seed or fraction < read.fraction or is_shared:
        draw = '' if read.fraction == 1 else f' --seed {read.seed}'
        if draw and is_shared:
            draw += f" --cfg-options 'shared_label_pattern={read.shared}'"
        raise ConfigError(
            f'{student.path} was trained with labels of {read.dataset} that are not drawn here, so '
            f'that its features know more than a share of {fraction:g} and seed {seed} would say: '
            f'give --label-fraction {read.fraction:g}{draw}, or a student that has not read them'
        )


def check_training_list(student: SavedRun, dataset: str, names: Iterable[str]) -> None:
    """Refuse a network that was fine-tuned with another training list of the data set.

    Args:
        student: What its file records.
        dataset: Name of the evaluation's data set.
        names: Of the samples in its training list.

    Raises:
        ConfigError: What is now for tests may have trained the network.
    """
    read = student.labels_read
    if read and read.dataset == dataset and read.train_hash not in ('', _hash(names)):
        raise ConfigError(
            f'{student.path} was fine-tuned with labels of another training list of {dataset}, in '
            'which test clips may have been: fine-tune again with the list of this config'
        )


def _hash(names: Iterable[str]) -> str:
    return hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()[:16]
