"""One evaluation's result: what was measured, on what, with which weights; kept as a JSON file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.targets.cache import TargetReader, read_meta

REPORTED_PACKAGES = ('mmact_ssl', 'mmaction2', 'mmengine', 'torch', 'scikit-learn', 'numpy')


@dataclass
class Result:
    """A result as it is written to ``results/``.

    Attributes:
        method: Row of the tables, e.g. 'CSVR', 'Random init'.
        variant: 'full', or what was left out, e.g. 'no-pose'.
        dataset: The config's ``dataset_name``.
        protocol: 'linear', 'linear-sgd', 'knn', 'retrieval', 'zeroshot', 'text-retrieval',
            'finetune', 'joint' or 'pretext'.
        backbone: The config's ``backbone_name``.
        seed: Of initialization, labeled part and order.
        metrics: Values in 0..1, apart from ``feature_std`` and ``effective_rank``.
        label_fraction: Share of the training labels that was used.
        config: Path of the downstream config.
        config_hash: Sha256 of :func:`config_hash`.
        checkpoint_hash: Sha256 of the file, or 'random'.
        data_version: Sha256 of :func:`data_version`.
        synthetic: Whether the videos are made, not filmed.
        details: What is not a metric: the ``confusion`` matrix, the names of its ``classes``.
        versions: Of the packages.
        pretrained_on: Data set that the student was pre-trained on, where that was said.
        prefix: What the student's keys in the checkpoint begin with: a momentum copy is another
            encoder of the same file.
        caches: Version of each target cache that was read, beside the data version's, by path; see
            :func:`cache_version`. Empty in files of earlier versions.
    """

    method: str
    variant: str
    dataset: str
    protocol: str
    backbone: str
    seed: int
    metrics: dict[str, float]
    label_fraction: float
    config: str
    config_hash: str
    checkpoint_hash: str
    data_version: str
    synthetic: bool
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    pretrained_on: str = ''
    prefix: str = 'backbone.'
    caches: dict[str, str] = field(default_factory=dict)

    @property
    def transferred(self) -> bool:
        """Whether the student was pre-trained on another data set."""
        return self.pretrained_on not in ('', self.dataset)

    @property
    def file_name(self) -> str:
        """Name that tells results of different runs apart."""
        return result_file_name(
            self.method,
            self.variant,
            self.dataset,
            self.protocol,
            self.label_fraction,
            self.seed,
            self.pretrained_on,
        )

    def write(self, path: str | os.PathLike) -> Path:
        """Write to ``path``, or into it under :attr:`file_name` where it is not a ``.json`` file.

        Returns:
            The file.
        """
        file = Path(path)
        if file.suffix != '.json':
            file = file / self.file_name
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f'.{os.getpid()}.{file.name}')
        # One line per entry; a list, such as a row of a confusion matrix, is one line too.
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        text = re.sub(r'\[[^][{}]*\]', lambda match: re.sub(r'\n\s*', '', match.group()), text)
        beside.write_text(text + '\n', encoding='utf-8')
        beside.replace(file)
        return file

    @classmethod
    def read(cls, path: str | os.PathLike) -> Result:
        """Read a file that :meth:`write` wrote.

        Raises:
            DataError: It is not one; names it.
        """
        try:
            return cls(**json.loads(Path(path).read_text(encoding='utf-8')))
        except (TypeError, ValueError) as error:
            raise DataError(
                f'{path}: not a result file ({error}); delete it and run tools/evaluate.py again'
            ) from error


def result_file_name(
    method: str,
    variant: str,
    dataset: str,
    protocol: str,
    label_fraction: float,
    seed: int,
    pretrained_on: str = '',
) -> str:
    """Return the file name of a result, e.g. ``csvr_full_demo_finetune-10pct_seed0.json``.

    One of a student from another data set says so: ``ms2l_full_utdmhad-from-nwucla_linear_…``.
    """
    part = '' if label_fraction == 1 else f'-{100 * label_fraction:g}pct'
    source = '' if pretrained_on in ('', dataset) else f'-from-{pretrained_on}'
    name = f'{method}_{variant}_{dataset}{source}_{protocol}{part}_seed{seed}'
    return re.sub(r'[^\w.-]+', '-', name).lower() + '.json'


def config_hash(config: dict[str, Any], train: Split, test: Split) -> str:
    """Hash what makes two results comparable: the protocol's settings and the annotations.

    Args:
        config: The parts of the config that the protocol reads.
        train: Training split.
        test: Test split.

    Returns:
        sha256; the same wherever ``$MMACT_SSL_DATA`` points.
    """
    digest = hashlib.sha256(portable_text(config).encode())
    for split in (train, test):
        digest.update(''.join(split.lines()).encode())
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
    """Hash both annotations and what lies behind them and says what it is.

    Of skeletons that is their own sha256, of videos what the pose cache beside the training
    annotation says of itself.

    Returns:
        sha256.
    """
    digest = hashlib.sha256(''.join([*train.lines(), *test.lines()]).encode())
    digest.update((train.skeletons + test.skeletons).encode())
    digest.update(target_cache_version(train.ann_file))
    return digest.hexdigest()


def target_cache_version(ann_file: str | os.PathLike) -> bytes:
    """Return what the pose cache beside an annotation file holds; b'' without a cache.

    In the words of the cache's first format, whatever format it is in: how it is stored is no
    matter of the data.
    """
    cache = Path(ann_file).parent / 'targets' / 'pose.lmdb'
    if not cache.exists():
        return b''
    meta = read_meta(cache)
    words = {name: getattr(meta, name) for name in ('kind', 'layout', 'fingerprint', 'source')}
    return json.dumps({**words, 'format': 1}, sort_keys=True).encode()


def cache_version(path: str | os.PathLike, keys: Iterable[str] | None = None) -> str:
    """Hash what a target cache holds: the teacher, by its config and weights, and how it is stored.

    Of sentences the embeddings too, as a teacher does not say which sentences it was given; other
    targets follow from the teacher and the videos.

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


def file_hash(path: str | os.PathLike) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
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
