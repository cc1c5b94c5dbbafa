"""``python -m mmact_ssl``: what is installed here, for a bug report."""

from __future__ import annotations

import platform

import torch

import mmact_ssl
from mmact_ssl import upstream
from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.upstream.packages import package_root, version_of

PACKAGES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmcv-lite', 'mmaction2', 'numpy', 'av')


def describe() -> list[tuple[str, str]]:
    """Names and values of the report."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    root = package_root('mmcv')
    compiled = root is not None and any(root.glob('_ext*'))
    return [
        ('mmact_ssl', f'{mmact_ssl.__version__}, configs in {CONFIGS}'),
        ('Python', f'{platform.python_version()} on {platform.platform()}'),
        *((name, version_of(name)) for name in PACKAGES if version_of(name)),
        ('GPU', ', '.join(gpus) or 'none'),
        ('mmcv operators', 'compiled' if compiled else 'none: mmcv-lite, docs/start/install.md'),
        ('fixes that act', ', '.join(upstream.applied) or 'none'),
    ]


if __name__ == '__main__':
    for name, value in describe():
        print(f'{name:20}{value}')
