"""Paths of the package's own configs, and of the data sets that ``--set`` names."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from mmact_ssl.errors import CLEAR, ConfigError, config_mistake

if TYPE_CHECKING:
    from mmengine.config import Config

# The same path in a checkout and in a wheel.
CONFIGS = Path(__file__).parents[1] / '.mim' / 'configs'
SETS = CONFIGS / '_base_' / 'sets'
# Environment variable with the path of the set that configs without one of their own read.
SET_VARIABLE = 'MMACT_SSL_SET'


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


def load_config(name: str | os.PathLike[str]) -> Config:
    """Load a config file, see :func:`find_config`.

    Raises:
        ConfigError: There is no such file, or it fails while it is read.
    """
    from mmengine.config import Config

    path = find_config(name)
    try:
        return Config.fromfile(path)
    except CLEAR:
        raise
    except Exception as error:
        cause: BaseException = error
        while isinstance(cause, ImportError) and cause.__context__:  # mmengine's do not tell why
            cause = cause.__context__
        raise config_mistake(path, cause, 'correct it, or the file that it inherits') from error


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


def shipped_config(name: str | Path) -> str:
    """Resolve ``mmact_ssl::NAME.py`` to a path; any other name stays as it is."""
    scope, separator, path = str(name).partition('::')
    return str(CONFIGS / path) if separator and scope == 'mmact_ssl' else str(name)
