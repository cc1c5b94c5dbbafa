"""Results of pretext tasks on clips that training never saw, for ``tools/test.py``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.result import (
    Result,
    cache_version,
    file_hash,
    package_versions,
    portable_path,
    portable_text,
    target_cache_version,
)
from mmact_ssl.targets.load_targets import caches_read_by

PROTOCOL = 'pretext'
# What a head reports beside a metric of its own: the value of doing nothing clever.
TRIVIAL_SUFFIX = '_repeat_last'
CHANCE = 'chance'


def make_pretext_result(
    cfg: Config, metrics: dict[str, float], checkpoint: str, method: str, variant: str, seed: int
) -> Result:
    """Make a result of what :class:`PretextMetric` measured.

    Args:
        cfg: Pre-training config with ``dataset_name``, ``backbone_name`` and ``test_dataloader``.
        metrics: ``'<task>/<name>'`` -> value.
        checkpoint: The tested file.
        method: Row of the tables.
        variant: 'full', or what was left out.
        seed: Of the pre-training.

    Returns:
        A result of the protocol 'pretext'.

    Raises:
        ConfigError: The config does not name its data set or backbone.
    """
    for key in ('dataset_name', 'backbone_name'):
        if key not in cfg:
            raise ConfigError(f'{cfg.filename}: has no {key}, which a result carries; add it')
    parts = {key: cfg.get(key) for key in ('model', 'test_dataloader', 'test_evaluator')}
    text = portable_text(parts)
    data = hashlib.sha256()
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        data.update(Path(loader.dataset.ann_file).read_bytes())
        skeletons = (loader.dataset.get('data_prefix') or {}).get('skeleton')
        if skeletons is not None:  # holds the hash of the coordinates
            data.update((Path(skeletons) / 'meta.json').read_bytes())
    data.update(target_cache_version(cfg.train_dataloader.dataset.ann_file))
    return Result(
        method=method,
        variant=variant,
        dataset=cfg.dataset_name,
        protocol=PROTOCOL,
        backbone=cfg.backbone_name,
        seed=seed,
        metrics=metrics,
        label_fraction=1.0,
        config=os.path.relpath(cfg.filename),
        config_hash=hashlib.sha256(text.encode()).hexdigest(),
        checkpoint_hash=file_hash(checkpoint),
        data_version=data.hexdigest(),
        synthetic=cfg.get('synthetic', False),
        versions=package_versions(),
        caches={portable_path(path): cache_version(path) for path in target_caches(cfg)},
    )


def target_caches(cfg: Config) -> list[str]:
    """List the target caches that a pre-training config reads, in training or testing, sorted."""
    loaders = [cfg.train_dataloader, cfg.test_dataloader]
    return sorted({path for _, path in caches_read_by(loaders)})


def with_trivial(metrics: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Pair each metric with the trivial answer to the same question.

    Args:
        metrics: Names ``'<task>/<name>'``.

    Yields:
        Metric and the metric of its trivial answer (``<name>_repeat_last``, or the task's
        ``chance`` for ``accuracy``), or None.
    """
    for metric in metrics:
        task, _, name = metric.rpartition('/')
        if name.endswith(TRIVIAL_SUFFIX) or name == CHANCE:
            continue
        trivial = f'{task}/{CHANCE}' if name == 'accuracy' else metric + TRIVIAL_SUFFIX
        yield metric, trivial if trivial in metrics else None
