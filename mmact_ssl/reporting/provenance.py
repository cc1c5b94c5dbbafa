"""Hashes that tell whether two results were measured alike: settings, data, caches, packages."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmact_ssl.targets.cache import TargetReader, read_meta

if TYPE_CHECKING:
    from mmact_ssl.evaluation.data import Split

REPORTED_PACKAGES = ('mmact_ssl', 'mmaction2', 'mmengine', 'torch', 'scikit-learn', 'numpy')


def config_hash(config: Any, *annotations: Iterable[str]) -> str:
    """Hash what makes two results comparable: the protocol's settings and the annotations.

    Args:
        config: The parts of the config that the protocol reads.
        annotations: Lines of the splits, training before test.

    Returns:
        sha256; the same wherever ``$MMACT_SSL_DATA`` points.
    """
    digest = hashlib.sha256(portable_text(config).encode())
    for lines in annotations:
        digest.update(''.join(lines).encode())
    return digest.hexdigest()


def portable_text(config: Any) -> str:
    """Write a config as text that is the same wherever ``$MMACT_SSL_DATA`` points."""
    text = json.dumps(config, sort_keys=True, default=str)
    root = os.environ.get('MMACT_SSL_DATA')
    if root:
        text = text.replace(json.dumps(root)[1:-1].rstrip('/') + '/', 'data/')
    return text


def portable_path(path: str | os.PathLike) -> str:
    """Write a path as :func:`portable_text` does."""
    return str(json.loads(portable_text(os.fspath(path))))


def data_version(train: Split, test: Split) -> str:
    """Hash both annotations, the skeletons, and the pose cache beside the training annotation."""
    digest = hashlib.sha256(''.join([*train.lines(), *test.lines()]).encode())
    digest.update((train.skeletons + test.skeletons).encode())
    digest.update(pose_cache_version(train.ann_file))
    return digest.hexdigest()


def pose_cache_version(ann_file: str | os.PathLike) -> bytes:
    """Return what the pose cache beside an annotation file contains; b'' without a cache.

    How the cache stores its values does not matter: ``format`` is a constant.
    """
    cache = Path(ann_file).parent / 'targets' / 'pose.lmdb'
    if not cache.exists():
        return b''
    meta = read_meta(cache)
    words = {name: getattr(meta, name) for name in ('kind', 'layout', 'fingerprint', 'source')}
    return json.dumps({**words, 'format': 1}, sort_keys=True).encode()


def cache_version(path: str | os.PathLike, keys: Iterable[str] | None = None) -> str:
    """Hash the teacher of a target cache, by its config and weights, and how values are stored.

    Of sentences the embeddings too, as a teacher's fingerprint does not cover the sentences that it
    was given; other targets follow from the teacher and the videos.

    Args:
        path: Folder of the cache.
        keys: Whose sentences were read; None for all.

    Returns:
        sha256.

    Raises:
        TargetCacheError: There is none, it is damaged, or a key is not in it.
    """
    reader = TargetReader(path)
    names = ('kind', 'layout', 'fingerprint', 'window', 'precision', 'dtype')
    words = {name: getattr(reader.meta, name) for name in names}
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    if reader.meta.kind == 'text':
        for key in reader.keys() if keys is None else sorted(keys):
            values = reader.get(key)  # [S, D]
            digest.update(f'{key} {values.shape}\n'.encode() + values.tobytes())
    return digest.hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    versions = {'python': platform.python_version()}
    for package in REPORTED_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
