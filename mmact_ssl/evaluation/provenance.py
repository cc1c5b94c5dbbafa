"""Hashes that make results comparable: of settings and data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmact_ssl.files import sha256_of
from mmact_ssl.shipped_configs import CONFIGS

if TYPE_CHECKING:
    from mmact_ssl.evaluation.data import Split


def config_hash(config: Any, *annotations: Iterable[str]) -> str:
    """Hash settings and annotations, independent of the place of ``$MMACT_SSL_DATA``.

    Args:
        config: The parts of the config that the protocol reads.
        annotations: Lines of the splits, training before test.
    """
    return sha256_of(''.join([portable_text(config), *map(''.join, annotations)]))


def portable_text(config: Any) -> str:
    """Convert a config to text that is independent of the place of ``$MMACT_SSL_DATA``."""
    text = json.dumps(config, sort_keys=True, default=str)
    root = os.environ.get('MMACT_SSL_DATA')
    if root:
        text = text.replace(json.dumps(root)[1:-1].rstrip('/') + '/', 'data/')
    return text


def config_name(path: str | os.PathLike[str]) -> str:
    """Name a config by its path: ``configs/...`` for the package's, else from the current folder.

    A path elsewhere stays as it is.
    """
    place = Path(path).resolve()
    roots = (root for root in (CONFIGS.resolve().parent, Path.cwd()) if root in place.parents)
    return next((place.relative_to(root).as_posix() for root in roots), os.fspath(path))


def data_version(train: Split, test: Split) -> str:
    """Hash both annotations and the skeletons."""
    lines = ''.join([*train.lines(), *test.lines()])
    return sha256_of(f'{lines}{train.skeletons}{test.skeletons}')
