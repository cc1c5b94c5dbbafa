"""Fixes of mmengine: packages, checkpoints, config names, networks."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

import torch

from .packages import package_root


def fix_missing_pkg_resources() -> bool:
    """Make mmengine find packages without ``pkg_resources``, which setuptools 82 has dropped."""
    if importlib.util.find_spec('pkg_resources') is not None:
        return False
    from mmengine import utils
    from mmengine.config import config
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.hub import hub
    from mmengine.utils import package_utils

    if package_utils.is_installed.__module__ == __name__:
        return False
    modules = {package: module for module, package in MODULE2PACKAGE.items()}

    def is_installed(package: str) -> bool:
        return importlib.util.find_spec(modules.get(package, package)) is not None

    def get_installed_path(package: str) -> str:
        root = package_root(modules.get(package, package))
        if root is None:
            raise ModuleNotFoundError(f'{package} is not installed')
        return str(root)

    for module in (package_utils, utils, config, hub):
        for function in (is_installed, get_installed_path):
            setattr(module, function.__name__, function)
    return True


def fix_missing_find_loader() -> bool:
    """Give mmengine ``pkgutil.find_loader``, which Python 3.14 has dropped."""
    if hasattr(pkgutil, 'find_loader'):
        return False
    # Upstream only compares the answer with None.
    pkgutil.find_loader = importlib.util.find_spec  # type: ignore[assignment]
    return True


def fix_checkpoint_loading(
    load_file: Callable[..., Any], load_from_http: Callable[..., Any]
) -> bool:
    """Make mmengine load checkpoints, also its resume files, as data by these; quietly."""
    from mmengine.runner import checkpoint

    if checkpoint.load_from_local is load_file:
        return False
    checkpoint._load_checkpoint.__defaults__ = None, 'current'  # without a logger it prints
    loader = checkpoint.CheckpointLoader
    loader.register_scheme('', load_file, force=True)
    loader.register_scheme(('http://', 'https://'), load_from_http, force=True)
    # The schemes torchvision:// and open-mmlab:// call these two by name.
    checkpoint.load_from_local = load_file
    checkpoint.load_from_http = load_from_http
    return True


def fix_config_names(resolve: Callable[[str], str]) -> bool:
    """Accept names in ``_base_`` that ``resolve`` turns into a path; it keeps any others.

    mmengine accepts ``PACKAGE::NAME.py`` for a fixed list of packages.
    """
    from mmengine.config import Config

    find_base = Config._get_cfg_path
    if find_base.__module__ == __name__:
        return False

    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        path = resolve(cfg_path)
        return find_base(path, filename) if path == cfg_path else (path, None)

    Config._get_cfg_path = staticmethod(get_cfg_path)
    return True


def fix_synchronized_normalization() -> bool:
    """Make ``sync_bn='torch'`` keep the activations inside timm's batch normalization.

    mmengine and torch replace it by a plain layer, which makes an EfficientNet linear.
    """
    from mmengine.runner import runner

    convert = runner.convert_sync_batchnorm
    if convert.__module__ == __name__:
        return False

    def convert_with_activations(module: torch.nn.Module, kind: str = 'torch') -> torch.nn.Module:
        if kind != 'torch' or 'timm' not in sys.modules:
            return convert(module, kind)
        from timm.layers import convert_sync_batchnorm

        return convert_sync_batchnorm(module)

    runner.convert_sync_batchnorm = convert_with_activations
    return True
