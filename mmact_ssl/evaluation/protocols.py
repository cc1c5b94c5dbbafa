"""Running one or more protocols of a downstream config on one encoder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.data import Split, groups_by_pattern, label_subset, read_splits
from mmact_ssl.evaluation.features import (
    Features,
    effective_rank,
    extract_features,
    feature_deviation,
)
from mmact_ssl.evaluation.finetune import evaluate_finetune
from mmact_ssl.evaluation.knn import evaluate_knn
from mmact_ssl.evaluation.linear import evaluate_linear
from mmact_ssl.evaluation.result import (
    Result,
    config_hash,
    data_version,
    file_hash,
    package_versions,
)
from mmact_ssl.evaluation.retrieval import evaluate_retrieval
from mmact_ssl.evaluation.student import build_recognizer

FROZEN = ('linear', 'knn', 'retrieval')
PROTOCOLS = (*FROZEN, 'finetune')
RANDOM = 'random'


def parse_protocols(text: str) -> list[str]:
    """Read ``linear,knn``, or ``all`` for those on frozen features.

    Raises:
        ConfigError: One is not known; names it.
    """
    names = list(FROZEN) if text == 'all' else [name.strip() for name in text.split(',')]
    for name in names:
        if name not in PROTOCOLS:
            raise ConfigError(f'protocol {name!r}: choose among {", ".join(PROTOCOLS)}, or all')
    return names


def evaluate(
    cfg: Config,
    protocols: Sequence[str],
    checkpoint: str | None,
    *,
    seed: int = 0,
    method: str = 'Random init',
    variant: str = 'full',
    label_fraction: float = 1.0,
    work_dir: str = 'work_dirs/evaluate',
    cache_dir: str | None = 'work_dirs/feature_cache',
    prefix: str = 'backbone.',
    device: str = 'cpu',
) -> list[Result]:
    """Run protocols on one encoder; those on frozen features share one extraction.

    Args:
        cfg: Downstream config.
        protocols: Among :data:`PROTOCOLS`.
        checkpoint: The student's file; None for a random encoder.
        seed: Of initialisation, labelled part and order.
        method: For the result.
        variant: For the result.
        label_fraction: Share of the training labels for linear, kNN and fine-tuning.
        work_dir: Of fine-tuning.
        cache_dir: Of frozen features; None for no cache.
        prefix: What the student's keys begin with.
        device: Of feature extraction.

    Returns:
        One result per protocol, in order.

    Raises:
        ConfigError: The config lacks what a protocol needs, or disagrees with the data.
        DataError: Data is missing.
        CheckpointError: The checkpoint is missing or does not fit.
    """
    if checkpoint is not None and not os.path.isfile(checkpoint):
        raise CheckpointError(
            f'{checkpoint}: no such checkpoint; give the path that tools/train.py wrote, or '
            '--random for a random encoder'
        )
    if 'finetune' in protocols and cfg.get('optim_wrapper') is None:
        raise ConfigError(
            f'{cfg.filename}: has no training schedule; fine-tune with a '
            'configs/downstream/finetune_*.py'
        )
    if 'retrieval' in protocols and label_fraction != 1:
        raise ConfigError('retrieval reads no labels of the gallery: drop --label-fraction')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    train, test = read_splits(cfg)
    labelled = label_subset(train.names, train.labels, label_fraction, seed)
    checkpoint_hash = RANDOM if checkpoint is None else file_hash(checkpoint)
    version = data_version(train, test)
    features: dict[str, Features] = {}
    results = []
    for protocol in protocols:
        options = dict(cfg.get(protocol, {}))
        details: dict[str, Any] = {}
        if protocol == 'finetune':
            # Built anew: fine-tuning must start from the student, not from where another left it.
            recognizer = build_recognizer(cfg, seed, checkpoint, prefix)
            metrics = evaluate_finetune(
                cfg,
                recognizer,
                train,
                work_dir,
                seed,
                label_fraction,
                pretrained=checkpoint is not None,
                **options,
            )
        else:
            if not features:
                recognizer = build_recognizer(cfg, seed, checkpoint, prefix)
                splits = {'train': train, 'test': test}
                features = extract_features(cfg, recognizer, splits, device, cache_dir)
            metrics, details = evaluate_frozen(
                protocol, features, train, labelled, cfg.model.cls_head.num_classes, options
            )
        results.append(
            Result(
                method=method,
                variant=variant,
                dataset=cfg.dataset_name,
                protocol=protocol,
                backbone=cfg.backbone_name,
                seed=seed,
                metrics=metrics,
                label_fraction=label_fraction,
                config=_relative(cfg.filename),
                config_hash=config_hash(_read_by(cfg, protocol), train, test),
                checkpoint_hash=checkpoint_hash,
                data_version=version,
                synthetic=cfg.get('synthetic', False),
                details=details,
                versions=package_versions(),
            )
        )
    return results


def evaluate_frozen(
    protocol: str,
    features: dict[str, Features],
    train: Split,
    labelled: np.ndarray,
    num_classes: int,
    options: dict[str, Any],
) -> tuple[dict[str, float], dict[str, Any]]:
    """Run one protocol on frozen features.

    Args:
        protocol: 'linear', 'knn' or 'retrieval'.
        features: Of the splits 'train' and 'test'.
        train: The training split, for the names that ``group_pattern`` reads.
        labelled: Positions of the labelled training samples.
        num_classes: Number of classes.
        options: The config's entry ``<protocol>``.

    Returns:
        Metrics, among them ``feature_std`` and ``effective_rank`` of the test split, and details.
    """
    labelled_train, test = features['train'].part(labelled), features['test']
    details: dict[str, Any] = {}
    if protocol == 'linear':
        groups = groups_by_pattern(
            [train.names[i] for i in labelled], options.pop('group_pattern', None)
        )
        metrics, details = evaluate_linear(labelled_train, test, num_classes, groups, **options)
    elif protocol == 'knn':
        metrics = evaluate_knn(labelled_train, test, num_classes, **options)
    else:
        metrics = evaluate_retrieval(labelled_train, test, **options)
    metrics['feature_std'] = feature_deviation(test.values)
    metrics['effective_rank'] = effective_rank(test.values)
    return metrics, details


def _read_by(cfg: Config, protocol: str) -> dict[str, Any]:
    """Pick the parts of a config that a protocol's numbers depend on."""
    keys = [protocol, 'model', 'test_dataloader', 'backbone_name']
    if protocol == 'finetune':
        keys += ['train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler']
    parts = {key: cfg.get(key) for key in keys}
    parts['train_annotation'] = cfg.train_dataloader.dataset.ann_file
    return parts


def _relative(path: str) -> str:
    """Write a path relative to the working folder where it lies inside."""
    try:
        return Path(path).resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
