"""The configs of the package, and the data sets that some of them read by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmact_ssl.errors import ConfigError

# In a checkout as in a wheel.
CONFIGS = Path(__file__).parent / '.mim' / 'configs'
DOWNSTREAM = CONFIGS / 'downstream'
SETS = CONFIGS / '_base_' / 'sets'
# Environment variable with the path of the set that configs of downstream/ read.
SET_VARIABLE = 'MMACT_SSL_SET'


def shipped_config(name: str | Path) -> str:
    """Path of the config that ``mmact_ssl::NAME.py`` names; of any other name, the name."""
    scope, separator, path = str(name).partition('::')
    return str(CONFIGS / path) if separator and scope == 'mmact_ssl' else str(name)


def register_config_names() -> None:
    """Make ``mmact_ssl::NAME.py`` a config's file name and a ``_base_``.

    mmengine does so for a fixed list of packages, and in ``_base_`` alone.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE['mmact_ssl'] = 'mmact_ssl'
    read, find_base = Config.fromfile, Config._get_cfg_path

    def fromfile(filename: str | Path, *args: Any, **kwargs: Any) -> Config:
        return read(shipped_config(filename), *args, **kwargs)

    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        path = shipped_config(cfg_path)
        return find_base(path, filename) if path == cfg_path else (path, None)

    Config.fromfile = staticmethod(fromfile)
    Config._get_cfg_path = staticmethod(get_cfg_path)


def find_set(name: str) -> str:
    """Path of a data set's file: one of ``configs/_base_/sets/`` by its name, or a path.

    Raises:
        ConfigError: There is no such set.
    """
    path = Path(name) if name.endswith('.py') else SETS / f'{name}.py'
    if not path.is_file():
        known = sorted(p.stem for p in SETS.glob('*.py') if not p.stem.startswith('folder'))
        raise ConfigError(f'--set {name}: no such set; give the path of a file or one of {known}')
    return str(path.resolve())


@contextmanager
def environment(variable: str, value: str | None) -> Iterator[None]:
    """Set an environment variable for a while, or remove it if the value is ''; None: leave it."""
    before = os.environ.get(variable)
    try:
        if value:
            os.environ[variable] = value
        elif value is not None:
            os.environ.pop(variable, None)
        yield
    finally:
        os.environ.pop(variable, None)
        if before is not None:
            os.environ[variable] = before
