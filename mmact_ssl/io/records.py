"""Records beside the weights of training checkpoints and published files.

A published file is a safetensors file with a backbone's weights, ``backbone.*``, and the card as
JSON in its metadata; it may also hold the projectors of sentences, ``heads.prompts.*``. An exported
ONNX file has the same card.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypedDict

from mmact_ssl.io.schema import Count

# Of a row in the tables.
METHOD = re.compile(r'[\w][\w .,()²/+-]{0,99}')
NAME = re.compile(r'\w[\w.+-]{0,99}')  # of a network, data set or model; safe in a file's name
Name = Annotated[str, NAME]


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
    seed: Count
    shared: str = ''


@dataclass(frozen=True)
class Card:
    """Card of a published file.

    Attributes:
        name: Name of the model, e.g. ``csvr_r3d_demo``.
        encoder: ``config``, the name of a shipped encoder, and ``options``, see
            :func:`mmact_ssl.configs.encoder_config.read_record`.
        method: Row of the tables, e.g. ``'CSVR'``.
        config: Name of the training config, without ``.py``.
        data: Name of the data set.
        trained_on: The training data, in words.
        licence: Licence of the weights, as the training data allows.
        source_sha256: Hash of the training checkpoint.
        precision: Type of the stored weights, ``'float32'`` or ``'float16'``.
        version: Version of the package that wrote the card.
        labels: Labels read in training, see :class:`LabelsRead`; None for none.
        text_encoder: Name of the config in ``configs/teachers/`` whose sentences the file's two
            projectors, ``heads.prompts.*``, compare with skeletons; '' for a bare backbone.
        text_fingerprint: Fingerprint of that teacher's config and weights; '' if not recorded.
    """

    name: Name
    encoder: dict[str, Any]
    method: str
    config: str
    data: str
    trained_on: str
    licence: str
    source_sha256: str
    precision: Annotated[str, re.compile('float(32|16)')]
    version: str
    labels: LabelsRead | None = None
    text_encoder: Annotated[str, re.compile(f'({NAME.pattern})?')] = ''
    text_fingerprint: str = ''

    def to_json(self) -> str:
        """Write the card; the same card gives the same text."""
        return json.dumps(asdict(self), sort_keys=True)


class Record(TypedDict, total=False):
    """Record of a training in the meta of its checkpoints; a card has all of its keys."""

    encoder: dict[str, Any] | None
    name: Name
    method: str
    config: str
    data: str
    labels: LabelsRead | None


class Meta(TypedDict, total=False):
    """The keys that this package reads in the meta of a checkpoint."""

    epoch: Count
    iter: Count
    starts: Count
    run: dict[str, Any]
    record: Record | None
    target_caches: dict[str, dict[str, dict[str, str]]]
    target_sentences: dict[str, str]
