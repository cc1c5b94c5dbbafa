"""The card of a published model: what it is, how it reads its input, where it comes from.

A published file is a safetensors file of a backbone's weights, ``backbone.*``, with its card as
JSON in the file's own metadata; beside them may lie what reads sentences, ``heads.prompts.*``.
Whoever receives it needs nothing else to build the network. An ONNX file has the same card.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from mmact_ssl.checkpoint_file import parse_card, read_safetensors
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import CONTROL, reading
from mmact_ssl.part_checks import check_part, check_pipeline
from mmact_ssl.saved_run import with_tuples

FIX = 'download it again, or publish it by tools/publish_model.py'
PARTS = ('backbone', 'preprocessor', 'pipeline', 'pooling')
DECODERS = re.compile(r'mmaction\.(?:Decord|PyAV|OpenCV)(Init|Decode)')
OWN_READER = dict(Init='mmact_ssl.ReadVideo', Decode='mmact_ssl.DecodeFrames')
NAME = re.compile(r'\w[\w.+-]{0,99}')


@dataclass(frozen=True)
class Card:
    """Card of a published file: its network, its data, its results.

    Parts are dicts of plain values as a config writes them, ``type`` with its scope, and name no
    file. What :mod:`mmact_ssl.part_checks` refuses is not a card.

    Attributes:
        name: Of the model, e.g. ``csvr_r3d_demo``.
        kind: ``'video'`` or ``'skeleton'``.
        method: Row of the tables, e.g. ``'CSVR'``.
        config: Name of the config that trained it, without ``.py``.
        trained_on: The data that it was trained on, in words.
        licence: Of the weights, as the training data allows.
        backbone_name, backbone: Name of the network, and the part.
        preprocessor: The part that normalizes a batch.
        pipeline: The transforms that make a sample of a clip for evaluation, without augmentation.
        feature_dim: Length C of a feature.
        pooling: The part that pools a map of skeletons; None: the mean over positions.
        deviation: Features are the mean over a video's clips and, beside it, the deviation.
        layout, num_persons: Of skeletons: a key of LAYOUTS, and persons a clip; '' and 0 of videos.
        text_encoder: Name of the config of ``configs/teachers/`` whose sentences the file's two
            projectors, ``heads.prompts.*``, compare with skeletons; '' of a backbone alone.
        text_fingerprint: Of that teacher's config and weights; '' if the training did not say it.
        results: One dict a figure: ``name`` as in the tables, ``protocol``, ``metric``, ``value``
            in 0..1, ``label_fraction``, ``seed``, ``dataset``, ``synthetic``, ``config``,
            ``test_clips`` (0 if not known), ``weights``: measured with those of the 'checkpoint' or
            of the 'file', ``version`` of the measurement (1 in early cards).
        dataset_name: Of the set that it was trained on, as its config gives it; '' in early cards.
        labels_read: Of a training that read labels: which, see :class:`LabelsRead`.
        source_sha256: Of the training checkpoint.
        precision: In which the weights are stored, ``'float32'`` or ``'float16'``.
        version: Of the package that has written it.
    """

    name: str
    kind: str
    method: str
    config: str
    trained_on: str
    licence: str
    backbone_name: str
    backbone: dict[str, Any]
    preprocessor: dict[str, Any]
    pipeline: list[dict[str, Any]]
    feature_dim: int
    source_sha256: str
    precision: str
    version: str
    pooling: dict[str, Any] | None = None
    deviation: bool = False
    layout: str = ''
    num_persons: int = 0
    text_encoder: str = ''
    text_fingerprint: str = ''
    dataset_name: str = ''
    labels_read: dict[str, Any] | None = None
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def clip(self) -> dict[str, Any]:
        """Arguments of the transform that picks frames: ``clip_len``, ``num_frames``, ..."""
        keys = ('clip_len', 'num_clips', 'frame_interval', 'num_frames')
        found = [step for step in self.pipeline if any(key in step for key in keys)]
        return {key: found[0][key] for key in keys if found and key in found[0]}

    def to_json(self) -> str:
        """Write the card; the same card gives the same text."""
        return json.dumps(asdict(self), sort_keys=True)


def read_card(path: str | os.PathLike[str]) -> Card:
    """Read the card of a published file, without its weights.

    Raises:
        CheckpointError: The file is missing, damaged, or no published model.
    """
    path = os.fspath(path)
    require_published(path)
    if path.endswith('.onnx'):
        from mmact_ssl.onnx_file import read_onnx

        metadata = read_onnx(path)[1]
    else:
        metadata = read_safetensors(path, weights=False)[1]
    values = parse_card(metadata, path)
    with reading(path, FIX, CheckpointError):
        return card_from(values)


def require_published(path: str) -> None:
    """Raise CheckpointError for a folder or a training checkpoint."""
    if os.path.isdir(path) or path.endswith('.pth'):
        raise CheckpointError(
            f'{path}: is no published .safetensors or .onnx file: make one of a training '
            'checkpoint by tools/publish_model.py, without --format pth'
        )


def card_from(values: Any) -> Card:
    """Make a card of what a file says; ValueError for what no card says."""
    if values is None:
        raise ValueError('it has no card, so that its network is not known')
    if not isinstance(values, dict):
        raise ValueError('its card is not a table')
    known = {item.name: item for item in fields(Card)}
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f'its card says {unknown[0]!r}, which this version does not know')
    for name, item in known.items():
        if name not in values:
            if item.default is MISSING and item.default_factory is MISSING:
                raise ValueError(f'its card does not say {name!r}')
            continue
        kinds = _KINDS[str(item.type)]
        if type(values[name]) not in kinds:
            raise ValueError(f'its card has {name!r} of {type(values[name]).__name__}')
    _check_values(values)
    parts = {key: with_tuples(values.get(key)) for key in PARTS}
    parts['pipeline'] = [by_own_reader(step) for step in values['pipeline']]
    card = Card(**{**values, **parts})
    for name in (card.name, card.backbone_name, card.text_encoder or 'none'):
        if not NAME.fullmatch(name):
            raise ValueError(f'its card has the name {name!r}')
    if card.kind not in ('video', 'skeleton'):
        raise ValueError(f'its card is of the kind {card.kind!r}')
    if not 0 < card.feature_dim < 10**6 or not 0 <= card.num_persons < 100:
        raise ValueError('its card has a feature_dim or num_persons of no network')
    check_part(card.backbone, 'backbone', 'backbone')
    check_part(card.preprocessor, 'preprocessor', 'preprocessor')
    if card.pooling is not None:
        check_part(card.pooling, 'pooling', 'pooling')
    check_pipeline(card.pipeline)
    return card


_KINDS: Mapping[str, tuple[type, ...]] = {
    'str': (str,),
    'int': (int,),
    'bool': (bool,),
    'dict[str, Any]': (dict,),
    'dict[str, Any] | None': (dict, type(None)),
    'list[dict[str, Any]]': (list,),
}


def by_own_reader(step: Any) -> Any:
    """Replace a decoder of mmaction2, as early cards name one: they give other frames."""
    name = str(step.get('type', '')) if isinstance(step, dict) else ''
    replaced = DECODERS.fullmatch(name)
    return dict(type=OWN_READER[replaced[1]]) if replaced else with_tuples(step)


def _check_values(value: Any) -> None:
    """Refuse text that a terminal would obey, and text without end."""
    if isinstance(value, dict):
        for item in value.items():
            _check_values(list(item))
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_values(item)
    elif isinstance(value, str) and (len(value) > 2000 or CONTROL.search(value)):
        raise ValueError(f'its card holds the text {value[:40]!r}')
