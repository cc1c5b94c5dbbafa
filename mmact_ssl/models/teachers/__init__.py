"""Frozen networks that make targets, online or for a cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmact_ssl.configs.shipped_configs import find_config
from mmact_ssl.errors import ConfigError, MMActSSLError
from mmact_ssl.io.files import reading
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.registry import MODELS

__all__ = ['BaseTeacher', 'build_teacher']


def build_teacher(config: str | os.PathLike[str] | Mapping[str, Any]) -> BaseTeacher:
    """Build a teacher from a config file with a dict ``teacher``, or from such a dict.

    Raises:
        ConfigError: The file is missing, cannot be read or has no such dict, or the dict does not
            build a teacher.
    """
    if isinstance(config, Mapping):
        settings = dict(config)
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
