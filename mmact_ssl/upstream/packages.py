"""Installed packages, found without importing them, and modules in place of missing ones."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any


def version_of(distribution: str) -> str:
    """Version of an installed distribution; '' if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ''


def package_root(name: str) -> Path | None:
    """Find the folder of a top-level package without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def stub_module(name: str, is_package: bool = False, **attributes: Any) -> None:
    """Register a module that has only these attributes."""
    module = ModuleType(name)
    # pkgutil.find_loader and importlib.util.find_spec refuse a module without a spec.
    module.__spec__ = ModuleSpec(name, loader=None, is_package=is_package)
    if is_package:
        module.__path__ = []
    vars(module).update(attributes)
    sys.modules[name] = module


def ignore(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""
