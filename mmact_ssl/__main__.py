"""``python -m mmact_ssl``: what is installed here, for a bug report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, metadata, requires

import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mmact_ssl
from mmact_ssl import upstream
from mmact_ssl.shipped_configs import CONFIGS
from mmact_ssl.upstream.packages import package_root, version_of

# Distributions that hold the same modules.
SAME_MODULES = {
    'mmcv-lite': ('mmcv',),
    'mmengine': ('mmengine-lite',),
    'opencv-python': (
        'opencv-python-headless',
        'opencv-contrib-python',
        'opencv-contrib-python-headless',
    ),
}
PACKAGES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmcv-lite', 'mmaction2', 'numpy', 'av')


def describe() -> list[tuple[str, str]]:
    """Names and values of the report."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    root = package_root('mmcv')
    compiled = root is not None and any(root.glob('_ext*'))
    rows = [
        ('mmact_ssl', f'{mmact_ssl.__version__}, configs in {CONFIGS}'),
        ('Python', f'{platform.python_version()} on {platform.platform()}'),
        *((name, version_of(name)) for name in PACKAGES if version_of(name)),
        ('GPU', ', '.join(gpus) or 'none'),
        (
            'mmcv operators',
            'compiled' if compiled else 'none: mmcv-lite, see docs/start/install.md',
        ),
        ('fixes that act', ', '.join(upstream.applied) or 'none'),
    ]
    return rows + [(f'extra [{name}]', state) for name, state in extras().items()]


def extras() -> dict[str, str]:
    """State of each extra: complete, or the packages that it lacks."""
    try:
        names = metadata('mmact_ssl').get_all('Provides-Extra') or []
    except PackageNotFoundError:
        return {'none': 'mmact_ssl is not installed, it is run from a folder'}
    missing = {name: ', '.join(missing_packages(name)) for name in names}
    return {name: f'lacks {lacks}' if lacks else 'there' for name, lacks in missing.items()}


def missing_packages(extra: str) -> list[str]:
    """Packages of an extra, and of extras that it includes, that are not installed."""
    missing = []
    for need in map(Requirement, requires('mmact_ssl') or []):
        if need.marker is None or not need.marker.evaluate({'extra': extra}):
            continue
        if canonicalize_name(need.name) == 'mmact-ssl':
            missing += [name for other in sorted(need.extras) for name in missing_packages(other)]
        elif not any(map(version_of, (need.name, *SAME_MODULES.get(need.name, ())))):
            missing.append(need.name)
    return missing


if __name__ == '__main__':
    for name, value in describe():
        print(f'{name:20}{value}')
