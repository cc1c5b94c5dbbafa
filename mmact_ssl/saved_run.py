"""What a training checkpoint or a published file records: read once, passed on, never run."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from mmact_ssl.checkpoint_file import (
    parse_card,
    read_newest,
    read_safetensors,
    read_state_dict,
)
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import reading, sha256_of_file

# In the config of a fine-tuned recognizer, the meta of an exported file, and a published card.
LABELS_KEY = 'labels_read'
# In the meta of a checkpoint: target -> fingerprint of its teacher -> source, of each split.
CACHES_KEY = 'target_caches'
# Names whose values are read of a config.
CONFIG_KEYS = (
    *('backbone_name', 'dataset_name', 'model', 'train_dataloader', 'own_folder'),
    *('format_bodies', 'pad'),
    LABELS_KEY,
)
NAME = re.compile(r'[\w.-]+')  # what may become a part of a file's name


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


@dataclass(frozen=True, repr=False, eq=False)
class SavedRun:
    """What a training checkpoint or a published file records.

    A file may be anybody's: its config and card are plain values, which name networks to build only
    after :func:`mmact_ssl.part_checks.plain_part` has checked them.

    Attributes:
        path: Of the file.
        content: Weights and ``meta``, as the file holds them.
        card: Of a published file, unchecked; None without one.
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
        if not os.path.exists(path):
            raise CheckpointError(
                f'{path}: no such checkpoint; give the path that tools/train.py wrote'
            )
        if path.endswith('.safetensors'):
            weights, metadata = read_safetensors(path)
            card = parse_card(metadata, path)
            content = {'state_dict': weights}
            return cls(path, content, card if isinstance(card, Mapping) else None)
        path, content = read_newest(path)
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
        """Name of the config that trained it; '' if it is not recorded."""
        return re.sub(r'_\d{8}_\d{6}$', '', str(self.meta.get('experiment_name', '')))

    @cached_property
    def config(self) -> dict[str, Any]:
        """Plain values of :data:`CONFIG_KEYS` in the config of its training."""
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return read_assignments(str(self.meta.get('cfg', '')), CONFIG_KEYS)
        return {}

    def _name(self, key: str) -> str:
        name = str((self.config if self.card is None else self.card).get(key, ''))
        return name if NAME.fullmatch(name) else ''

    @property
    def backbone_name(self) -> str:
        """Name of its network, as configs give it; '' if it is not recorded."""
        return self._name('backbone_name')

    @property
    def dataset_name(self) -> str:
        """Name of the set that it was trained on, as configs give it; '' if it is not recorded."""
        return self._name('dataset_name')

    @cached_property
    def backbone(self) -> dict[str, Any]:
        """Config of its backbone, unchecked; {} if it is not recorded."""
        part = self.config.get('model') if self.card is None else with_tuples(self.card)
        backbone = part.get('backbone') if isinstance(part, Mapping) else None
        return dict(backbone) if isinstance(backbone, Mapping) else {}

    @cached_property
    def labels_read(self) -> LabelsRead | None:
        """The labels that its training has read; None if no labels are recorded.

        Raises:
            CheckpointError: The record is damaged.
        """
        if self.card is not None:
            return self._labels_in(self.card)
        if LABELS_KEY in self.meta:  # exported
            return self._labels_in(self.meta)
        targets = find_value(find_value(self.config.get('model'), 'data_preprocessor'), 'targets')
        if 'sample.label' not in str(targets):
            return self._labels_in(self.config)
        loader = self.config.get('train_dataloader')
        return LabelsRead(
            str(self.config.get('dataset_name')),
            *drawn_labels(loader),
            folder_hash=find_value(self.config.get('own_folder'), 'train_hash') or '',
            # The other camera's clip of a performance is trained with the label of this one.
            shared=find_value(loader, 'performance_pattern') or '',
        )

    def _labels_in(self, table: Mapping[str, Any]) -> LabelsRead | None:
        with reading(self.path, 'download it again, or train it again', CheckpointError):
            if not table.get(LABELS_KEY):
                return None
            read = LabelsRead(**table[LABELS_KEY])
            return replace(read, fraction=float(read.fraction), seed=int(read.seed))

    @property
    def sentence_encoders(self) -> dict[str, str]:
        """Encoders whose sentences it has learned from: fingerprint -> source; {} if unknown."""
        if self.card is not None:
            recorded = str(self.card.get('text_fingerprint') or '')
            return {recorded: str(self.card.get('text_encoder'))} if recorded else {}
        return find_value(self.meta.get(CACHES_KEY, {}).get('train'), 'prompt') or {}


def drawn_labels(loader: Any) -> tuple[float, int]:
    """Share of the labels, and the seed of their draw, of the data loader of a joint training."""
    share = find_value(loader, 'label_fraction')
    return 1.0 if share is None else share, find_value(loader, 'label_seed') or 0


def read_assignments(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Read plain values, and calls of ``dict``, that a dumped config assigns to some names.

    Names such as ``inf`` and ``torch.bfloat16`` are read as texts. What is not plain is left out.
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
        return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values)))
    if isinstance(node, (ast.List, ast.Tuple)):
        return (list if isinstance(node, ast.List) else tuple)(map(_value, node.elts))
    if isinstance(node, (ast.Name, ast.Attribute)):
        return ast.unparse(node)
    return ast.literal_eval(node)  # type: ignore[arg-type]


def find_value(part: Any, key: str) -> Any:
    """Find the first value of a key in a dict and in what is inside of it; None without any."""
    if isinstance(part, Mapping):
        if key in part:
            return part[key]
        part = list(part.values())
    if not isinstance(part, (list, tuple)):
        return None
    return next((value for one in part if (value := find_value(one, key)) is not None), None)


def with_tuples(value: Any) -> Any:
    """Write lists of plain values as tuples, which JSON does not have and some parts insist on."""
    if isinstance(value, dict):
        return {key: with_tuples(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [with_tuples(item) for item in value]
        return items if any(isinstance(item, dict) for item in items) else tuple(items)
    return value
