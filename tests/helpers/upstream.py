"""Steps of mmengine's runners that take longer than the trainings of tests."""

import functools
import os
import pickle
from pathlib import Path
from typing import Any

import mmengine.runner.runner
from mmengine.config import Config, config

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.configs.shipped_configs import CONFIGS, SET_VARIABLE

BASES = str((CONFIGS / '_base_').resolve())


def spare_upstream() -> None:
    """Leave the text of a config as it is, and ask for the versions of programs once.

    A runner formats its config four times, a second each, and starts programs to ask them. Most of
    the ten files of a shipped config are files of others as well.
    """
    config.FormatCode = lambda text, **_: (text, False)
    mmengine.runner.runner.collect_env = functools.cache(mmengine.runner.runner.collect_env)
    Config._file2dict = staticmethod(_remember_bases(Config._file2dict))


def _remember_bases(read: Any) -> Any:
    """A reader of config files that reads those of ``configs/_base_`` once for each environment."""
    known: dict[tuple, bytes] = {}

    def file2dict(filename: str, *args: Any, **kwargs: Any) -> tuple[dict, str, dict]:
        paths = filename, os.environ.get(SET_VARIABLE, BASES)
        if not all(str(Path(path).resolve()).startswith(BASES) for path in paths):
            return read(filename, *args, **kwargs)
        environment = sorted(item for item in os.environ.items() if item[0].startswith('MMACT_SSL'))
        key = filename, args, *kwargs.items(), *environment
        if key in known:
            return pickle.loads(known[key])
        found = read(filename, *args, **kwargs)
        if 'own_folder' not in found[0]:  # which holds other files in each test
            known[key] = pickle.dumps(found)
        return found

    return file2dict
