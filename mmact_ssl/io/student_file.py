"""The record in a training checkpoint or a published file, read as data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from mmact_ssl.errors import CheckpointError
from mmact_ssl.io.checkpoint_file import (
    CHECKPOINT,
    MODEL,
    load_checkpoint_safely,
    parse_card,
    read_newest,
    read_safetensors,
    read_state_dict,
)
from mmact_ssl.io.files import sha256_of_file
from mmact_ssl.io.records import METHOD, NAME, Card, LabelsRead
from mmact_ssl.io.schema import conform
from mmact_ssl.io.zoo import find_published

PREFIX = 'backbone.'  # of the names of the student's weights
# Key of the record in a run's config and in its checkpoints' meta: see StudentFile.record.
RECORD = 'record'
# Key in the meta of a checkpoint: {split: {target: {fingerprint of its teacher: source}}}.
CACHES_KEY = 'target_caches'


@dataclass(frozen=True, repr=False, eq=False)
class StudentFile:
    """A training checkpoint or a published file; anybody may have written it.

    Attributes:
        path: Path of the file.
        weights: All weights by name, see :func:`read_state_dict`.
        meta: What a training saves beside them; {} for a published file.
        card: Card of a published file; None without one.
    """

    path: str
    weights: Mapping[str, Tensor]
    meta: Mapping[str, Any]
    card: Card | None = None

    @classmethod
    def read(cls, where: str | os.PathLike[str]) -> StudentFile:
        """Read what a user names, the same student in all programs.

        Args:
            where: A ``.pth`` or ``.safetensors`` file, a work dir, which stands for its newest
                checkpoint, or the name of a published model. A text with a suffix of weights or a
                slash is a path, and a file or folder that exists goes before a model of its name.

        Raises:
            CheckpointError: There is none, or it is damaged or refused.
        """
        path = os.path.expanduser(os.fspath(where))
        if not (path.endswith((CHECKPOINT, MODEL)) or os.path.sep in path or os.path.exists(path)):
            path = find_published(path)
        if path.endswith(MODEL):
            weights, metadata = read_safetensors(path)
            return cls(path, read_state_dict(path, weights), {}, parse_card(metadata, path))
        if os.path.isdir(path):
            path, content = read_newest(path)
        else:
            content = load_checkpoint_safely(path)
        return cls(path, read_state_dict(path, content), content.get('meta', {}))

    @property
    def record(self) -> Mapping[str, Any]:
        """The card of a published file, else the record of a training; {} without one.

        See :class:`Record` for its keys, and :func:`mmact_ssl.configs.encoder_config.read_record`.
        """
        if self.card is not None:
            return asdict(self.card)
        return self.meta.get(RECORD) or {}

    @property
    def labels_read(self) -> LabelsRead | None:
        """Labels read in training; None if none are recorded."""
        return conform(self.record.get('labels'), LabelsRead | None)

    @cached_property
    def backbone_weights(self) -> dict[str, Tensor]:
        """Weights of the student, without ``backbone.`` before their names.

        Raises:
            CheckpointError: No name begins so.
        """
        state = self.weights
        found = {key[len(PREFIX) :]: state[key] for key in state if key.startswith(PREFIX)}
        if not found:
            known = ', '.join(sorted({key.split('.')[0] for key in state})[:5]) or 'nothing'
            raise CheckpointError(
                f'{self.path}: no key begins with {PREFIX!r}, they begin with {known}: give a file '
                'of this package, or name them so'
            )
        return found

    @cached_property
    def sha256(self) -> str:
        """Hash of the file."""
        return sha256_of_file(self.path)

    @property
    def method(self) -> str:
        """Row of the tables: the method on a card, else the name of the pre-training config."""
        method = self.record.get('method', '')
        return method if METHOD.fullmatch(method) else self.config_name

    @property
    def config_name(self) -> str:
        """Name of the pre-training config; '' if unknown, and for a recognizer."""
        return self._name('config')

    @property
    def dataset_name(self) -> str:
        """Name of the data set of the training; '' if unknown."""
        return self._name('data')

    def _name(self, key: str) -> str:
        name = self.record.get(key, '')
        return name if NAME.fullmatch(name) else ''

    @property
    def sentence_encoders(self) -> dict[str, str]:
        """Encoders of the sentences read in training, fingerprint -> source; {} if unknown."""
        if self.card is not None:
            recorded = self.card.text_fingerprint
            return {recorded: self.card.text_encoder} if recorded else {}
        return self.meta.get(CACHES_KEY, {}).get('train', {}).get('prompt', {})


def find_value(part: Any, key: str) -> Any:
    """Find the first value of a key in nested dicts and lists; None without any."""
    if isinstance(part, Mapping):
        if key in part:
            return part[key]
        part = list(part.values())
    if not isinstance(part, (list, tuple)):
        return None
    return next((value for item in part if (value := find_value(item, key)) is not None), None)
