"""The card of a published model: its network, its preprocessing, its origin and its results.

A published file is a safetensors file with a backbone's weights, ``backbone.*``, and the card as
JSON in its metadata; it may also hold the projectors of sentences, ``heads.prompts.*``. Building
the network needs nothing else. An exported ONNX file has the same card.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from mmact_ssl.checkpoint_file import MODEL, parse_card, read_safetensors
from mmact_ssl.errors import CheckpointError
from mmact_ssl.files import CONTROL, reading
from mmact_ssl.part_checks import check_part, check_pipeline
from mmact_ssl.saved_run import NAME, SavedRun, with_tuples

FIX = 'download it again, or publish it by tools/publish_model.py'
PARTS = ('backbone', 'preprocessor', 'pipeline', 'pooling')
# Keys of earlier cards, which are read where they are empty.
EARLIER = ('parts', 'pose_teacher', 'pose_fingerprint')
DECODERS = re.compile(r'mmaction\.(?:Decord|PyAV|OpenCV)(Init|Decode)')
OWN_READER = dict(Init='mmact_ssl.ReadVideo', Decode='mmact_ssl.DecodeFrames')


@dataclass(frozen=True)
class Card:
    """Card of a published file.

    Parts are dicts of plain values as in a config, with the scope in ``type``, and name no file.
    :mod:`mmact_ssl.part_checks` refuses anything else.

    Attributes:
        name: Name of the model, e.g. ``csvr_r3d_demo``.
        kind: ``'video'`` or ``'skeleton'``.
        method: Row of the tables, e.g. ``'CSVR'``.
        config: Name of the training config, without ``.py``.
        trained_on: The training data, in words.
        licence: Licence of the weights, as the training data allows.
        backbone_name, backbone: Name of the network, and the part.
        preprocessor: Part that normalizes a batch.
        pipeline: Transforms that turn a clip into a sample, without augmentation.
        feature_dim: Length C of a feature.
        pooling: Part that pools a map of skeletons; None: the mean over positions.
        deviation: True if features are the mean and the standard deviation over a video's clips.
        layout, num_persons: For skeletons a key of LAYOUTS, and persons a clip; else '' and 0.
        text_encoder: Name of the config in ``configs/teachers/`` whose sentences the file's two
            projectors, ``heads.prompts.*``, compare with skeletons; '' for a bare backbone.
        text_fingerprint: Fingerprint of that teacher's config and weights; '' if not recorded.
        results: One dict a figure: ``name`` as in the tables, ``protocol``, ``metric``, ``value``
            in 0..1, ``label_fraction``, ``seed``, ``dataset``, ``synthetic``, ``config``,
            ``test_clips`` (0 if unknown), ``weights`` (those of the 'checkpoint' or of the 'file'
            were measured).
        dataset_name: ``dataset_name`` of the training config; '' in early cards.
        labels_read: Labels read in training, see :class:`LabelsRead`; None for none.
        source_sha256: Hash of the training checkpoint.
        precision: Type of the stored weights, ``'float32'`` or ``'float16'``.
        version: Version of the package that wrote the card.
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
        picks = (step for step in self.pipeline if any(key in step for key in keys))
        first = next(picks, {})
        return {key: first[key] for key in keys if key in first}

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
    values = parse_card(read_safetensors(path, weights=False)[1], path)
    with reading(path, FIX, CheckpointError):
        return card_from(values)


def require_published(path: str) -> None:
    """Raise CheckpointError for a folder, a training checkpoint or an exported file."""
    if os.path.isdir(path) or not path.endswith(MODEL):
        raise CheckpointError(
            f'{path}: is not a published .safetensors file: make one of a training checkpoint by '
            'tools/publish_model.py, without --format'
        )


def card_from(values: Any) -> Card:
    """Make a card of the values in a file's metadata.

    Raises:
        ValueError: The values are not those of a card.
    """
    if values is None:
        raise ValueError('it has no card, so its network is unknown')
    if not isinstance(values, dict):
        raise ValueError('its card is not a table')
    values = {key: value for key, value in values.items() if key not in EARLIER or value}
    known = {item.name: item for item in fields(Card)}
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f'its card has {unknown[0]!r}, which this version does not know')
    for name, item in known.items():
        if name not in values:
            if item.default is MISSING and item.default_factory is MISSING:
                raise ValueError(f'its card lacks {name!r}')
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


def known_method(student: SavedRun) -> str:
    """Method on a published file's card, or name of a pre-training's config; '' for others."""
    if student.card is not None:
        with suppress(ValueError):
            return card_from(student.card).method
    return student.config_name if NAME.fullmatch(student.config_name) else ''


def by_own_reader(step: Any) -> Any:
    """Replace mmaction2's decoders in early cards, which give other frames."""
    name = str(step.get('type', '')) if isinstance(step, dict) else ''
    replaced = DECODERS.fullmatch(name)
    return dict(type=OWN_READER[replaced[1]]) if replaced else with_tuples(step)


def _check_values(value: Any) -> None:
    """Reject control characters and overlong text."""
    if isinstance(value, dict):
        for item in value.items():
            _check_values(list(item))
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_values(item)
    elif isinstance(value, str) and (len(value) > 2000 or CONTROL.search(value)):
        raise ValueError(f'its card holds the text {value[:40]!r}')
