"""The configs of the package, which ``mmact_ssl::NAME.py`` names wherever a config is read."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmact_ssl.errors import ConfigError

# In a checkout as in a wheel.
CONFIGS = Path(__file__).parent / '.mim' / 'configs'


def shipped_config(name: str | Path) -> str:
    """Path of the config that ``mmact_ssl::NAME.py`` names; of any other name, the name."""
    scope, separator, path = str(name).partition('::')
    return str(CONFIGS / path) if separator and scope == 'mmact_ssl' else str(name)


def find_config(name: str | os.PathLike[str]) -> str:
    """Path of a config file, which may be one of the package, ``mmact_ssl::NAME.py``.

    Raises:
        ConfigError: There is no such file; names the one that is nearest.
    """
    path = Path(shipped_config(os.fspath(name)))
    if path.is_file():
        return str(path)
    shipped = (p.relative_to(CONFIGS) for p in CONFIGS.rglob('*.py'))
    known = {p.stem: f'mmact_ssl::{p.as_posix()}' for p in shipped if '_base_' not in p.parts}
    known.update({p.stem: str(p) for p in Path(name).parent.glob('*.py')})
    close = get_close_matches(path.stem, known, n=1, cutoff=0.5)
    fix = f'did you mean {known[close[0]]}?' if close else 'see configs/'
    raise ConfigError(f'{name}: no such config, {fix}')


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
