"""Frozen networks that make targets, online or for a cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmact_ssl.configs.shipped_configs import find_config
from mmact_ssl.errors import ConfigError, MMActSSLError
from mmact_ssl.io.files import reading
from mmact_ssl.io.hf_folder import read_model
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.preparation.small_copies import FRAMES
from mmact_ssl.registry import MODELS

__all__ = ['BaseTeacher', 'build_teacher']

HF = 'hf:'  # before the folder of a network of transformers
CLIP = 16  # frames, if the network takes fewer than it was trained with


def build_teacher(config: str | os.PathLike[str] | Mapping[str, Any]) -> BaseTeacher:
    """Build a teacher from a config file with a dict ``teacher``, or from such a dict.

    ``hf:FOLDER`` is a TransformersTeacher, whose clips span a small copy.

    Raises:
        ConfigError: The file is missing, cannot be read or has no such dict, or the dict does not
            build a teacher.
    """
    if isinstance(config, Mapping):
        settings = dict(config)
    elif os.fspath(config).startswith(HF):
        model = os.fspath(config)[len(HF) :]
        found = read_model(model)
        frames = min(found.frames, CLIP) if found.family.any_length else found.frames
        stride = max(1, (FRAMES - 1) // max(1, frames - 1))
        settings = dict(type='TransformersTeacher', model=model, frames=frames, stride=stride)
    else:
        path = find_config(config)
        with reading(path, 'give one of configs/teachers/', ConfigError):
            try:
                loaded = Config.fromfile(path)
            except MMActSSLError:  # another kind of config, which needs its data
                loaded = Config()
        if 'teacher' not in loaded:
            raise ConfigError(f'{path} has no dict `teacher`: give one of configs/teachers/')
        settings = dict(loaded.teacher)
    teacher = MODELS.build({**settings, '_scope_': 'mmact_ssl'})
    if not isinstance(teacher, BaseTeacher):
        raise ConfigError(f'{type(teacher).__name__} is not a teacher (a BaseTeacher)')
    return teacher
