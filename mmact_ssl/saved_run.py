"""The records in a training checkpoint or a published file, read once as data."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from mmact_ssl.checkpoint_file import (
    MODEL,
    load_checkpoint_safely,
    parse_card,
    read_newest,
    read_safetensors,
    read_state_dict,
)
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import reading, sha256_of_file

# Key in the config of fine-tuning, the meta of an exported file, and a published card.
LABELS_KEY = 'labels_read'
# Key in the meta of a checkpoint: {split: {target: {fingerprint of its teacher: source}}}.
CACHES_KEY = 'target_caches'
# Keys of a config whose values are read.
CONFIG_KEYS = (
    'backbone_name',
    'dataset_name',
    'model',
    'train_dataloader',
    'test_dataloader',
    'frame_interval',
    'clip_frames',
    'flip_ratio',
    'optim_wrapper',
    'own_folder',
    'format_bodies',
    'pad',
    LABELS_KEY,
)
NAME = re.compile(r'\w[\w.+-]{0,99}')  # of a network, data set or model; safe in a file's name


@dataclass(frozen=True)
class LabelsRead:
    """Labels that the training of a checkpoint has read.

    Attributes:
        dataset: Name of the data set.
        fraction, seed: Fraction of the labels and seed of their draw, see :func:`label_subset`.
        shared: Pattern of the recordings that share a label; '' if none do.
    """

    dataset: str
    fraction: float
    seed: int
    shared: str = ''

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> LabelsRead:
        """Read the record that ``asdict`` has written; KeyError or ValueError if it is none."""
        shared = str(table.get('shared', ''))
        return cls(str(table['dataset']), float(table['fraction']), int(table['seed']), shared)


@dataclass(frozen=True, repr=False, eq=False)
class SavedRun:
    """Records of a training checkpoint or a published file.

    Anybody may have written the file. Its config and card are plain values: check a network's by
    :func:`mmact_ssl.part_checks.plain_part` before building it.

    Attributes:
        path: Path of the file.
        content: Weights and ``meta``, as the file holds them.
        card: Card of a published file, unchecked; None without one.
    """

    path: str
    content: Mapping[str, Any]
    card: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, where: str | os.PathLike[str]) -> SavedRun:
        """Read a ``.pth`` or ``.safetensors`` file, or the newest checkpoint in a work dir.

        Raises:
            CheckpointError: There is none, or it is damaged or refused.
        """
        path = os.fspath(where)
        if path.endswith(MODEL):
            weights, metadata = read_safetensors(path)
            card = parse_card(metadata, path)
            content = {'state_dict': weights}
            return cls(path, content, card if isinstance(card, Mapping) else None)
        if os.path.isdir(path):
            path, content = read_newest(path)
        else:
            content = load_checkpoint_safely(path)
        if 'state_dict' in content:  # the optimizer is twice as large
            content = {key: content[key] for key in ('state_dict', 'meta') if key in content}
        return cls(path, content)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """All weights by name, see :func:`read_state_dict`."""
        return read_state_dict(self.path, self.content)

    @cached_property
    def sha256(self) -> str:
        """Hash of the file."""
        return sha256_of_file(self.path)

    @property
    def meta(self) -> Mapping[str, Any]:
        """The ``meta`` of a checkpoint: epoch, iteration, data set, caches, config as text."""
        return self.content.get('meta', {})

    @property
    def config_name(self) -> str:
        """Name of the pre-training config; '' if it is not recorded, and for a recognizer."""
        if self.is_recognizer:  # its run is named by its folder
            return ''
        return re.sub(r'_\d{8}_\d{6}$', '', str(self.meta.get('experiment_name', '')))

    @cached_property
    def config(self) -> dict[str, Any]:
        """Plain values of :data:`CONFIG_KEYS` in the training config."""
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return read_assignments(str(self.meta.get('cfg', '')), CONFIG_KEYS)
        return {}

    def _name(self, key: str) -> str:
        name = str((self.config if self.card is None else self.card).get(key, ''))
        return name if NAME.fullmatch(name) else ''

    @property
    def backbone_name(self) -> str:
        """Name of the network in the card, else in the training config; '' if unknown."""
        return self._name('backbone_name')

    @property
    def dataset_name(self) -> str:
        """Name of the data set in the card, else in the training config; '' if unknown."""
        return self._name('dataset_name')

    @cached_property
    def backbone(self) -> dict[str, Any]:
        """Config of the backbone, unchecked; {} if it is not recorded."""
        part = self.config.get('model') if self.card is None else with_tuples(self.card)
        backbone = part.get('backbone') if isinstance(part, Mapping) else None
        return dict(backbone) if isinstance(backbone, Mapping) else {}

    @property
    def is_recognizer(self) -> bool:
        """True for a fine-tuned recognizer."""
        model = self.config.get('model')
        return isinstance(model, Mapping) and 'cls_head' in model

    @cached_property
    def labels_read(self) -> LabelsRead | None:
        """Labels read in training; None if none are recorded.

        Raises:
            CheckpointError: The record is damaged.
        """
        with reading(self.path, 'download it again, or train it again', CheckpointError):
            for table in (self.card or {}, self.meta, self.config):  # a card; an exported file
                if table.get(LABELS_KEY):
                    return LabelsRead.parse(table[LABELS_KEY])
            return joint_labels(self.config)

    @property
    def sentence_encoders(self) -> dict[str, str]:
        """Encoders of the sentences read in training, fingerprint -> source; {} if unknown."""
        if self.card is not None:
            recorded = str(self.card.get('text_fingerprint') or '')
            return {recorded: str(self.card.get('text_encoder'))} if recorded else {}
        return find_value(self.meta.get(CACHES_KEY, {}).get('train'), 'prompt') or {}


def joint_labels(config: Mapping[str, Any]) -> LabelsRead | None:
    """Labels that a joint training reads by its config; None for any other config."""
    targets = find_value(find_value(config.get('model'), 'data_preprocessor'), 'targets')
    if 'sample.label' not in str(targets):
        return None
    loader = config.get('train_dataloader')
    fraction = find_value(loader, 'label_fraction')
    return LabelsRead(
        str(config.get('dataset_name')),
        1.0 if fraction is None else float(fraction),
        int(find_value(loader, 'label_seed') or 0),
    )


def read_assignments(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Read the plain values, and calls of ``dict``, assigned to ``names`` in a dumped config.

    Inside a dict or list ``inf``, ``torch.bfloat16``, ``np.float64(0.5)`` and the like become text.
    A value with anything else is left out as a whole.
    """
    values = {}
    for node in ast.parse(text).body:
        name = getattr(node.targets[0], 'id', '') if isinstance(node, ast.Assign) else ''
        if name in names:
            with suppress(ValueError, TypeError):
                values[name] = _value(node.value)  # type: ignore[attr-defined]
    return values


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return {str(keyword.arg): _value_or_text(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value_or_text, node.values)))
    if isinstance(node, (ast.List, ast.Tuple)):
        return (list if isinstance(node, ast.List) else tuple)(map(_value_or_text, node.elts))
    return ast.literal_eval(node)  # type: ignore[arg-type]


def _value_or_text(node: ast.AST) -> Any:
    number = node.operand if isinstance(node, ast.UnaryOp) else node
    if isinstance(number, ast.Call):  # of a function in a module, as numpy writes its numbers
        is_text = isinstance(number.func, ast.Attribute)
    else:
        is_text = isinstance(number, (ast.Name, ast.Attribute))
    return ast.unparse(node) if is_text else _value(node)


def find_value(part: Any, key: str) -> Any:
    """Find the first value of a key in nested dicts and lists; None without any."""
    if isinstance(part, Mapping):
        if key in part:
            return part[key]
        part = list(part.values())
    if not isinstance(part, (list, tuple)):
        return None
    return next((value for item in part if (value := find_value(item, key)) is not None), None)


def with_tuples(value: Any) -> Any:
    """Turn lists of plain values into tuples, which some parts require and JSON does not have."""
    if isinstance(value, dict):
        return {key: with_tuples(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [with_tuples(item) for item in value]
        return items if any(isinstance(item, dict) for item in items) else tuple(items)
    return value
