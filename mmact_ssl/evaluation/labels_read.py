"""The labels that a student has read before it is evaluated: fine-tuned, or trained jointly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mmengine.config import Config

from mmact_ssl.checkpoint_file import load_checkpoint_safely, read_saved_card
from mmact_ssl.engine.saved_config import find_value, read_saved_config
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.files import reading

# In the config of a fine-tuned recognizer, the meta of an exported file, and a published card.
KEY = 'labels_read'


@dataclass(frozen=True)
class LabelsRead:
    """Labels that the training of a checkpoint has read.

    Attributes:
        dataset: Name of the data set.
        fraction, seed: Of the draw, see :func:`label_subset`.
        train_hash: Of the names of the training list; '' if it is not known.
        folder_hash: ``train_hash`` of a folder of one's own, see :func:`describe_folder`; ''
            where the config names none.
        shared: Pattern by which a label counted for other clips too; '' for none.
    """

    dataset: str
    fraction: float
    seed: int
    train_hash: str = ''
    folder_hash: str = ''
    shared: str = ''


def note_labels(cfg: Config, fraction: float, seed: int, names: Iterable[str]) -> None:
    """Write into a config which labels its training reads, for the checkpoint that carries it."""
    folder_hash = cfg.get('own_folder', {}).get('train_hash', '')
    shared = cfg.get('shared_label_pattern') or ''
    read = LabelsRead(cfg.dataset_name, fraction, seed, _hash(names), folder_hash, shared)
    cfg[KEY] = asdict(read)


def labels_read(checkpoint: str) -> LabelsRead | None:
    """Find which labels a checkpoint or a published file has read; None if it says of none."""
    if checkpoint.endswith('.safetensors'):
        return _from_table(read_saved_card(checkpoint) or {}, checkpoint)
    if noted := load_checkpoint_safely(checkpoint).get('meta', {}).get(KEY):  # exported
        return _from_table({KEY: noted}, checkpoint)
    keys = ('dataset_name', 'model', 'train_dataloader', 'own_folder', KEY)
    saved = read_saved_config(checkpoint, keys)[1]
    targets = find_value(find_value(saved.get('model'), 'data_preprocessor'), 'targets')
    if 'sample.label' not in str(targets):
        return _from_table(saved, checkpoint)
    loader = saved.get('train_dataloader')
    return LabelsRead(
        str(saved.get('dataset_name')),
        *drawn_labels(loader),
        folder_hash=find_value(saved.get('own_folder'), 'train_hash') or '',
        # The other camera's clip of a performance is trained with the label of this one.
        shared=find_value(loader, 'performance_pattern') or '',
    )


def _from_table(values: Mapping[str, Any], path: str) -> LabelsRead | None:
    """Read the entry :data:`KEY` of a file's table; None if there is none."""
    with reading(path, 'download it again, or train it again', CheckpointError):
        if not values.get(KEY):
            return None
        read = LabelsRead(**values[KEY])
        return replace(read, fraction=float(read.fraction), seed=int(read.seed))


def drawn_labels(loader: Any) -> tuple[float, int]:
    """Share of the labels, and the seed of their draw, of the data loader of a joint training."""
    share = find_value(loader, 'label_fraction')
    return 1.0 if share is None else share, find_value(loader, 'label_seed') or 0


def check_labels_read(checkpoint: str, cfg: Config, fraction: float, seed: int) -> None:
    """Refuse a student that knows labels of a data set which an evaluation does not draw.

    Args:
        checkpoint: The student's file.
        cfg: Of the evaluation. Its data set is the student's where it has the name of that, or its
            training list (which a joint training notes of a folder of one's own alone).
        fraction, seed: Of the labels that are drawn.

    Raises:
        ConfigError: Labels that are not drawn have trained the student.
    """
    read = labels_read(checkpoint)
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
            f'{checkpoint} was trained with labels of {read.dataset} that are not drawn here, so '
            f'that its features know more than a share of {fraction:g} and seed {seed} would say: '
            f'give --label-fraction {read.fraction:g}{draw}, or a student that has not read them'
        )


def check_training_list(checkpoint: str, dataset: str, names: Iterable[str]) -> None:
    """Refuse a network that was fine-tuned with another training list of the data set.

    Args:
        checkpoint: The student's file.
        dataset: Name of the evaluation's data set.
        names: Of the samples in its training list.

    Raises:
        ConfigError: What is now for tests may have trained the network.
    """
    read = labels_read(checkpoint)
    if read and read.dataset == dataset and read.train_hash not in ('', _hash(names)):
        raise ConfigError(
            f'{checkpoint} was fine-tuned with labels of another training list of {dataset}, in '
            'which test clips may have been: fine-tune again with the list of this config'
        )


def _hash(names: Iterable[str]) -> str:
    return hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()[:16]
