"""``python -m mmact_ssl``: what is installed here, for a bug report."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, metadata, requires

import torch

import mmact_ssl
from mmact_ssl import compat

PACKAGES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmcv-lite', 'mmaction2', 'numpy', 'av')


def describe() -> list[tuple[str, str]]:
    """Rows of a name and what there is to say about it."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    root = compat._package_root('mmcv')
    compiled = root is not None and any(root.glob('_ext*'))
    rows = [
        ('mmact_ssl', f'{mmact_ssl.__version__}, configs in {compat.CONFIGS}'),
        ('Python', f'{platform.python_version()} on {platform.platform()}'),
        *((name, installed(name)) for name in PACKAGES if installed(name)),
        ('GPU', ', '.join(gpus) or 'none'),
        ('mmcv operators', 'compiled' if compiled else 'none: mmcv-lite, see docs/install.md'),
        ('fixes that act', ', '.join(compat.applied) or 'none'),
    ]
    return rows + [(f'extra [{name}]', found) for name, found in extras().items()]


def extras() -> dict[str, str]:
    """Missing packages of each extra."""
    try:
        needs = requires('mmact_ssl') or []
        names = metadata('mmact_ssl').get_all('Provides-Extra') or []
    except PackageNotFoundError:
        return {'none': 'mmact_ssl is not installed, it is run from a folder'}
    found = {}
    for extra in names:
        marked = re.compile(rf'extra == [\'"]{extra}[\'"]')
        packages = [re.split(r'[ ;<>=!~(\[]', need)[0] for need in needs if marked.search(need)]
        missing = [name for name in packages if not installed(name)]
        found[extra] = f'lacks {", ".join(missing)}' if missing else 'there'
    return found


def installed(name: str) -> str:
    """Version of a distribution; '' if it is not installed."""
    return compat._version_of(name) or ''


if __name__ == '__main__':
    for name, value in describe():
        print(f'{name:20}{value}')
