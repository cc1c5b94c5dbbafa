"""Comparison of a downstream config's network with the one that a checkpoint was trained with."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from mmengine.config import Config

from mmact_ssl.checkpoint_file import load_checkpoint_safely, read_saved_card
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.transforms.skeleton.streams import BonesAndMotion
from mmact_ssl.engine.saved_config import find_value, read_saved_config
from mmact_ssl.errors import ConfigError

# Arguments that change no evaluated feature: where weights start, what is trained and regularized,
# which maps are given besides the last one, and pooling, which leaves the weights as they are.
FREE = re.compile(
    r'(.*\.)?(_scope_|checkpoint|\w*pretrain\w*|match|init_cfg|zero_init_residual|frozen_stages'
    r'|norm_eval|partial_bn|with_cp|out_indices|pool|\w*drop\w*'
    r'|act_cfg\.inplace|norm_cfg\.(type|requires_grad|momentum))'
)
# Layouts of which checkpoints that do not record their bones had others than now.
CHANGED_BONES = ('ntu25', 'coco17')


def check_network(cfg: Config, checkpoint: str) -> None:
    """Refuse a config whose backbone computes something else with the weights of a checkpoint.

    Where one of both does not name an argument, the default of its class counts. A checkpoint
    without a record of its network is accepted, and so is a backbone of another class.

    Raises:
        ConfigError: Names the first argument that differs, or the layout whose bones do.
    """
    own, trained, place = cfg.model.backbone, saved_backbone(checkpoint), 'model.backbone'
    if 'backbone' in own:  # of one with adapters
        own, place = own.backbone, f'{place}.backbone'
    if not trained or _name(own.type) != _name(trained.get('type')):
        return
    for key, value, wanted in differences(own, trained):
        option = shlex.quote(f'{place}.{key}={wanted}'.replace(' ', ''))
        raise ConfigError(
            f'{checkpoint}: was trained with {place}.{key}={wanted}, but the config has {value}: '
            f'give --cfg-options {option}, or the config of that network'
        )
    if (layout := find_value(trained, 'layout')) in LAYOUTS and checkpoint.endswith('.pth'):
        _check_bones(cfg, checkpoint, layout)


def _check_bones(cfg: Config, checkpoint: str, layout: str) -> None:
    steps = cfg.test_dataloader.dataset.get('pipeline') or ()
    found = [step for step in steps if _name(step.type) == BonesAndMotion.__name__]
    if not any('bone' in str(step.get('streams', 'bone')) for step in found):
        return
    bones = list(LAYOUTS[layout].parents)
    meta = load_checkpoint_safely(checkpoint).get('meta', {}).get('dataset_meta') or {}
    if meta.get('bones', None if layout in CHANGED_BONES else bones) != bones:
        raise ConfigError(
            f'{checkpoint}: was trained with other bones of the layout {layout} than '
            'BonesAndMotion gives now: train it again'
        )


def saved_backbone(checkpoint: str) -> Mapping[str, Any]:
    """Read the backbone's config in a training checkpoint or a published file; {} without one."""
    if checkpoint.endswith('.safetensors'):
        part = read_saved_card(checkpoint)
    else:
        part = read_saved_config(checkpoint, ('model',))[1].get('model')
    found = False
    while isinstance(part, Mapping) and 'backbone' in part:  # one with adapters has another inside
        part, found = part['backbone'], True
    return part if found and isinstance(part, Mapping) else {}


def differences(
    own: Mapping[str, Any], trained: Mapping[str, Any], path: str = ''
) -> Iterator[tuple[str, Any, Any]]:
    """Arguments that differ between two configs of a network: path and both values."""
    defaults = default_arguments(own.get('type'))
    for key in {**own, **trained}:
        value, wanted = (part.get(key, defaults.get(key)) for part in (own, trained))
        if FREE.fullmatch(path + key):
            continue
        if isinstance(value or {}, Mapping) and isinstance(wanted or {}, Mapping):
            yield from differences(value or {}, wanted or {}, f'{path}{key}.')
        elif not _same(key, value, wanted):
            yield path + key, value, wanted


def default_arguments(kind: Any) -> dict[str, Any]:
    """Defaults of a registered class, with those of its bases, or of a registered function."""
    from mmaction.registry import MODELS

    found: dict[str, inspect.Parameter] = {}
    with suppress(RuntimeError, TypeError):  # not registered
        built: Any = MODELS.get(kind)
        for part in reversed(getattr(built, '__mro__', (built,))):
            found.update(inspect.signature(part).parameters)
    return {key: item.default for key, item in found.items() if item.default is not item.empty}


def _name(kind: Any) -> str:
    """Name of a class without its scope."""
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def _same(key: str, value: Any, wanted: Any) -> bool:
    """True for equal values, lists being equal to tuples."""
    if key == 'type':
        return _name(value) == _name(wanted)
    return _equal(*(json.loads(json.dumps(part, default=str)) for part in (value, wanted)))


def _equal(value: Any, wanted: Any) -> bool:
    """Compare values; a single value equals a list of copies of it, as of stages of a network."""
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, list) or isinstance(wanted, list):
        items, other = (value, wanted) if isinstance(value, list) else (wanted, value)
        return bool(items) and all(_equal(item, other) for item in items)
    return bool(value == wanted)
