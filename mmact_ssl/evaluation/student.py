"""The pre-trained student as the backbone of an mmaction2 recognizer."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger, print_log
from torch import nn

from mmact_ssl.engine.terminal import log_once
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.student_inputs import type_name, with_saved_inputs
from mmact_ssl.files import reading, sha256_of, sha256_of_file
from mmact_ssl.part_checks import plain_part, without_outside
from mmact_ssl.parts import build_without_memory
from mmact_ssl.saved_run import SavedRun, find_value
from mmact_ssl.weights import (
    find_weights,
    load_pretrained,
    load_strictly,
    pretrained_files,
    take_pretrained,
)

# Arguments of a backbone that name its initial weights.
START_KEYS = ('checkpoint', 'pretrained')
# Arguments of a backbone that a downstream config sets: pooling, output maps, trained parts,
# regularization, and normalization across GPUs.
OWN = re.compile(
    r'(.*\.)?(pool|out_indices|frozen_stages|norm_eval|partial_bn|with_cp|\w*drop\w*'
    r'|norm_cfg\.(type|requires_grad|momentum))'
)
# Arguments that describe the data of a backbone, and their defaults.
OF_THE_DATA = {'layout': None, 'in_channels': 3}
# Ends the error of a network that is refused.
TRUSTED = 'if you trust the file, give a downstream config'


def require_backbone(saved: SavedRun) -> None:
    """Raise CheckpointError unless a file records a backbone of listed types."""
    if not saved.backbone or not saved.backbone_name:
        raise CheckpointError(
            f'{saved.path}: does not record its network (no config with backbone_name and '
            'model.backbone in it): give a downstream config, configs/downstream/*.py'
        )
    with reading(saved.path, TRUSTED, CheckpointError):
        plain_part(saved.backbone, 'backbone', 'backbone')


def merge_own(
    saved: Mapping[str, Any], config: Mapping[str, Any], path: str = ''
) -> dict[str, Any]:
    """Saved arguments of a backbone, but those that match ``OWN`` as the config has them.

    A type stays the saved one if the config has none: there is no part without.
    """
    merged = {key: value for key, value in config.items() if OWN.fullmatch(path + key)}
    for key, value in saved.items():
        if isinstance(value, Mapping):
            own = config.get(key)
            inner = own if isinstance(own, Mapping) else {}
            merged.setdefault(key, merge_own(value, inner, f'{path}{key}.'))
        elif key == 'type' or not OWN.fullmatch(path + key):
            merged.setdefault(key, value)
    return merged


def with_saved_backbone(
    cfg: Config,
    saved: SavedRun,
    options: Sequence[str] | None = None,
) -> Config:
    """Put the backbone and the inputs of a training into a downstream config, and log changes.

    The config stays unchanged if the file records no backbone or one of another class (which cannot
    be loaded).

    Args:
        options: Words of ``--cfg-options`` in the config, see :func:`with_saved_inputs`.

    Raises:
        ConfigError: The student was trained on skeletons of another layout or dimension, or on
            inputs that the config cannot give it; or the file records types that are not listed,
            and other arguments than the config's.
        CheckpointError: The network is larger than the file.
    """
    recorded, config = saved.backbone, cfg.model.backbone
    is_same = type_name(config.type) == type_name(recorded.get('type'))
    if not recorded or not is_same:
        return cfg
    own = without_outside(config.to_dict(), 'backbone')
    with reading(saved.path, TRUSTED, CheckpointError):
        try:
            recorded = plain_part(recorded, 'backbone', 'model.backbone')
        except ValueError as error:
            # A class of the user's: the record is compared, and the config's network is built.
            recorded = {**without_outside(recorded, 'backbone'), 'type': own['type']}
            merged = merge_own(recorded, own)
            differing = [
                f'{key!r:.60} is {merged.get(key)!r:.60}, not {own.get(key)!r:.60}'
                for key in _differing(own, merged)
            ]
            if differing:
                raise ConfigError(
                    f'{saved.path}: {error}: the network of {cfg.filename} would be built, and in '
                    f'the training {"; ".join(differing)}: set the same in model.backbone'
                ) from error
            recorded = own
    for key, default in OF_THE_DATA.items():
        trained, read = (find_value(part, key) or default for part in (recorded, own))
        if None not in (trained, read) and trained != read:
            data = cfg.get('own_folder', {}).get('root', cfg.get('dataset_name', cfg.filename))
            raise ConfigError(
                f'{saved.path} was trained on data of {key}={trained}, and {data} has '
                f'{key}={read}: a network reads one kind of data'
            )
    cfg = with_saved_inputs(cfg, saved, options)
    merged = merge_own(recorded, own)
    differing = _differing(own, merged)
    if not differing:
        return cfg
    for key in differing:
        if key in own:
            line = f'{saved.path}: trained with {key}={merged.get(key)}, not {own[key]}'
            print_log(line, 'current')
    with reading(saved.path, TRUSTED, CheckpointError):
        checked = plain_part(merged, 'backbone', 'model.backbone')
        build_without_memory(checked, 'model.backbone', os.path.getsize(saved.path))
    cfg = copy.deepcopy(cfg)
    cfg.model.backbone = ConfigDict(merged)
    return cfg


def _differing(own: Mapping[str, Any], merged: Mapping[str, Any]) -> list[str]:
    """Arguments of the merged config of a backbone that are not those of the config's own."""
    keys = {**own, **merged}
    return [key for key in keys if key not in own or _text(own[key]) != _text(merged.get(key))]


def _text(value: Any) -> str:
    """Text of a value, the same for a list and a tuple."""
    return json.dumps(value, sort_keys=True, default=str)


def load_student(backbone: nn.Module, saved: SavedRun) -> None:
    """Load all weights named ``backbone.…``, and log their number; ignore all others."""
    state, prefix = saved.weights, 'backbone.'
    student = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    if not student:
        prefixes = ', '.join(sorted({key.split('.')[0] for key in state})[:5])
        raise CheckpointError(
            f'{saved.path}: no key begins with {prefix!r}, they begin with '
            f'{prefixes or "nothing"}: give a file of this package, or name them so'
        )
    load_strictly(backbone, student, saved.path, 'use the backbone config that it was trained with')
    others = len(state) - len(student)
    log_once(
        f'student from {saved.path}: all {len(student)} weights of the network'
        + (f'; the other {others} are of the pretext tasks' if others else '')
    )


def build_recognizer(cfg: Config, seed: int, student: SavedRun | None = None) -> nn.Module:
    """Build the config's recognizer with mmaction2's own initialization, then load the student.

    Its backbone should be that of the training, see :func:`with_saved_backbone`.

    With a student, the initial weights of the config's backbone need not exist.

    The same seed gives the same head and, without a student, the same random encoder. The running
    statistics of its batch normalization stay at 0 and 1, as usual for this baseline.
    """
    import mmaction.models  # noqa: F401  (fills the registry)
    from mmaction.registry import MODELS

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model = copy.deepcopy(cfg.model)
        if student is not None:
            for key in START_KEYS:
                model.backbone.pop(key, None)
        recognizer = MODELS.build(model)
        pretrained = take_pretrained(recognizer.backbone)
        # mmengine logs four lines for every parameter that it initializes.
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel(logging.WARNING)
        recognizer.init_weights()
        logger.setLevel(level)
    if student is None:
        for part, start in pretrained:
            load_pretrained(part, **start)
    else:
        load_student(recognizer.backbone, student)
    return recognizer


def start_hash(cfg: Config) -> str:
    """Hash the initial weights of a downstream config's backbone; '' for random ones.

    The config names them by ``checkpoint``, ``pretrained`` or an ``init_cfg`` of type
    ``Pretrained``.
    """
    backbone = cfg.model.backbone
    files = [(backbone[key], f'model.backbone.{key}') for key in START_KEYS if backbone.get(key)]
    files = files[:1]
    files += [(file, 'model.backbone.init_cfg') for file in pretrained_files(backbone)]
    hashes = [sha256_of_file(find_weights(*file)) for file in files]
    return ''.join(hashes) if len(hashes) < 2 else sha256_of(' '.join(hashes))
