"""Paths of the package's own configs, and of the data sets that ``--set`` names."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmact_ssl.errors import ConfigError

# The same path in a checkout and in a wheel.
CONFIGS = Path(__file__).parent / '.mim' / 'configs'
DOWNSTREAM = CONFIGS / 'downstream'
SETS = CONFIGS / '_base_' / 'sets'
# Environment variable with the path of the set that configs of downstream/ read.
SET_VARIABLE = 'MMACT_SSL_SET'


def shipped_config(name: str | Path) -> str:
    """Resolve ``mmact_ssl::NAME.py`` to a path; any other name stays as it is."""
    scope, separator, path = str(name).partition('::')
    return str(CONFIGS / path) if separator and scope == 'mmact_ssl' else str(name)


def find_config(name: str | os.PathLike[str]) -> str:
    """Path of a config file, which may be one of the package, ``mmact_ssl::NAME.py``.

    Raises:
        ConfigError: There is no such file; the error names the nearest one.
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


def find_set(name: str) -> str:
    """Path of a data set's file: one of ``configs/_base_/sets/`` by its name, or a path.

    Raises:
        ConfigError: There is no such set.
    """
    path = Path(name) if name.endswith(('.py', '.json')) else SETS / f'{name}.py'
    if not path.is_file():
        known = sorted(p.stem for p in SETS.glob('*.py') if not p.stem.startswith('folder'))
        raise ConfigError(f'--set {name}: no such set; give the path of a file or one of {known}')
    return str(path.resolve())


def read_set(name: str) -> dict[str, Any]:
    """Read a data set's file, see :func:`find_set`, for configs of several data sets."""
    from mmengine.config import Config

    return Config.fromfile(find_set(name)).to_dict()
