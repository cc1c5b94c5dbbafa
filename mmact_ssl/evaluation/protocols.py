"""Running one or more protocols of a downstream config on one encoder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.datasets.label_subset import label_subset
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.data import (
    Split,
    class_names,
    groups_by_pattern,
    read_splits,
    save_labeled,
)
from mmact_ssl.evaluation.features import (
    Features,
    effective_rank,
    extract_features,
    feature_std,
)
from mmact_ssl.evaluation.finetune import evaluate_finetune
from mmact_ssl.evaluation.joint import check_labels, evaluate_joint
from mmact_ssl.evaluation.knn import evaluate_knn
from mmact_ssl.evaluation.linear import evaluate_linear
from mmact_ssl.evaluation.linear_sgd import evaluate_linear_sgd
from mmact_ssl.evaluation.result import (
    Result,
    cache_version,
    config_hash,
    data_version,
    file_hash,
    package_versions,
    portable_path,
)
from mmact_ssl.evaluation.retrieval import evaluate_retrieval
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.evaluation.teacher_features import read_teacher, teacher_features
from mmact_ssl.evaluation.zeroshot import (
    SharedSpace,
    evaluate_text_retrieval,
    evaluate_zeroshot,
)
from mmact_ssl.targets.cache import TargetReader

FROZEN = ('linear', 'linear-sgd', 'knn', 'retrieval')
# These read a text cache and the projectors of the pre-training beside the frozen features.
BY_TEXT = ('zeroshot', 'text-retrieval')
PROTOCOLS = (*FROZEN, *BY_TEXT, 'finetune', 'joint')
# Names for a use of these protocols. Their results are those of the protocol.
ALIASES = {
    'all': ('linear', 'knn', 'retrieval'),
    'semi': ('finetune',),
    'semi-linear': ('linear',),
    'transfer': ('linear',),
}
# Shares of the labels of 'semi' and 'semi-linear': our choice among those that papers report.
SEMI_FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.4)
RANDOM = 'random'


def plan_protocols(text: str, fractions: Sequence[float] = ()) -> dict[float, list[str]]:
    """Read which protocols to run, as ``linear,knn`` or ``semi``.

    Args:
        text: Among :data:`PROTOCOLS` and :data:`ALIASES`, separated by commas.
        fractions: Shares of the labels, for all protocols. Empty: all labels, and
            :data:`SEMI_FRACTIONS` for ``semi`` and ``semi-linear``.

    Returns:
        Protocols by share of the labels, each once.

    Raises:
        ConfigError: One is not known; names it.
    """
    plan: dict[float, list[str]] = {}
    for name in map(str.strip, text.split(',')):
        if name not in PROTOCOLS and name not in ALIASES:
            raise ConfigError(
                f'protocol {name!r}: choose among {", ".join([*PROTOCOLS, *ALIASES])}'
            )
        usual = SEMI_FRACTIONS if name.startswith('semi') else (1.0,)
        for fraction in fractions or usual:
            chosen = plan.setdefault(fraction, [])
            chosen += [part for part in ALIASES.get(name, (name,)) if part not in chosen]
    return plan


def is_stochastic(protocol: str, label_fraction: float) -> bool:
    """Whether a protocol gives another number at another seed, the checkpoint being the same.

    Joint training has drawn its labels before: its checkpoint is tested as it is.
    """
    if protocol == 'joint':
        return False
    return label_fraction != 1 or protocol in ('linear-sgd', 'finetune')


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
    pretrained_on: str = '',
    label_lists: str | None = None,
    teacher: str | None = None,
) -> list[Result]:
    """Run protocols on one encoder; those on frozen features share one extraction.

    Args:
        cfg: Downstream config.
        protocols: Among :data:`PROTOCOLS`.
        checkpoint: The student's file; None for a random encoder.
        seed: Of initialization, labeled part and order; of joint training with a part of the
            labels that of their draw.
        method: For the result.
        variant: For the result.
        label_fraction: Share of the training labels for linear, kNN and fine-tuning; of joint
            training the share that it had.
        work_dir: Of fine-tuning.
        cache_dir: Of frozen features; None for no cache.
        prefix: What the student's keys begin with.
        device: Of feature extraction.
        pretrained_on: Data set that the student comes from, for the result.
        label_lists: Folder that keeps the drawn samples where ``label_fraction`` is below 1, see
            :func:`mmact_ssl.evaluation.data.save_labeled`; None for none.
        teacher: Cache of a teacher's embeddings, judged in place of an encoder's features.

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
    if teacher is not None and (checkpoint is not None or set(protocols) - set(FROZEN)):
        raise ConfigError(
            f"a teacher's cache is judged without a checkpoint and by {', '.join(FROZEN)} alone"
        )
    if 'finetune' in protocols and cfg.get('optim_wrapper') is None:
        raise ConfigError(
            f'{cfg.filename}: has no training schedule; fine-tune with a '
            'configs/downstream/finetune_*.py'
        )
    if 'joint' in protocols and checkpoint is None:
        raise ConfigError('joint tests the classifier of a checkpoint: a random encoder has none')
    for protocol in {'retrieval', *BY_TEXT} & set(protocols):
        if label_fraction != 1:
            raise ConfigError(f'{protocol} reads no labels of training: drop --label-fraction')
    for protocol in set(BY_TEXT) & set(protocols):
        if checkpoint is None:
            raise ConfigError(f'{protocol} needs the projectors of a checkpoint: drop --random')
        if 'texts' not in cfg.get(_config_key(protocol), {}):
            option = '--class-texts' if protocol == 'zeroshot' else '--clip-texts'
            raise ConfigError(f'{protocol}: give the text cache by {option} CACHE')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    train, test = read_splits(cfg)
    labeled = label_subset(train.names, train.labels, label_fraction, seed)
    known = 'joint' not in protocols or check_labels(str(checkpoint), label_fraction, seed)
    # Not of a joint training that does not say which labels it had.
    if label_lists is not None and label_fraction < 1 and (known or len(protocols) > 1):
        name = f'{cfg.dataset_name}_{100 * label_fraction:g}pct_seed{seed}.txt'
        save_labeled(Path(label_lists) / name, train, labeled)
    num_classes = cfg.model.cls_head.num_classes
    classes = class_names(train, num_classes)
    checkpoint_hash = RANDOM if checkpoint is None else file_hash(checkpoint)
    version = data_version(train, test)
    backbone = cfg.backbone_name
    features: dict[str, Features] = {}
    if teacher is not None:
        reader = read_teacher(teacher)
        features = teacher_features(reader, {'train': train, 'test': test})
        # Named by its cache, that is by its config; which weights they were is in the hash.
        backbone, checkpoint_hash = Path(teacher).stem, reader.meta.fingerprint
    results = []
    for protocol in protocols:
        options = dict(cfg.get(_config_key(protocol), {}))
        caches: dict[str, str] = {}
        if protocol == 'finetune':
            # Built anew: fine-tuning must start from the student, not from where another left it.
            recognizer = build_recognizer(cfg, seed, checkpoint, prefix)
            metrics, details = evaluate_finetune(
                cfg,
                recognizer,
                train,
                work_dir,
                seed,
                label_fraction,
                pretrained=checkpoint is not None,
                **options,
            )
        elif protocol == 'joint':
            recognizer = build_recognizer(cfg, seed, checkpoint, prefix)
            metrics, details = evaluate_joint(cfg, recognizer, str(checkpoint), work_dir)
        else:
            if not features:
                recognizer = build_recognizer(cfg, seed, checkpoint, prefix)
                splits = {'train': train, 'test': test}
                features = extract_features(cfg, recognizer, splits, device, cache_dir)
            if protocol in BY_TEXT:
                space = SharedSpace(str(checkpoint))
                metrics, details = (
                    evaluate_zeroshot(features['test'], space, classes=classes, **options)
                    if protocol == 'zeroshot'
                    else evaluate_text_retrieval(
                        features['test'], space, names=test.names, **options
                    )
                )
                caches = _texts_read(protocol, options['texts'], classes, test.names)
            else:
                metrics, details = evaluate_frozen(
                    protocol, features, train, labeled, num_classes, options, seed
                )
        if 'confusion' in details:
            details['classes'] = classes
        results.append(
            Result(
                method=method,
                variant=variant,
                dataset=cfg.dataset_name,
                protocol=protocol,
                backbone=backbone,
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
                pretrained_on=pretrained_on,
                prefix=prefix,
                caches=caches,
            )
        )
    return results


def evaluate_frozen(
    protocol: str,
    features: dict[str, Features],
    train: Split,
    labeled: np.ndarray,
    num_classes: int,
    options: dict[str, Any],
    seed: int = 0,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Run one protocol on frozen features.

    Args:
        protocol: Among :data:`FROZEN`.
        features: Of the splits 'train' and 'test'.
        train: The training split, for the names that ``group_pattern`` reads.
        labeled: Positions of the labeled training samples.
        num_classes: Number of classes.
        options: The config's entry ``<protocol>``, with ``_`` for ``-``.
        seed: Of what is drawn.

    Returns:
        Metrics, among them ``feature_std`` and ``effective_rank`` of the test split, and details.
    """
    labeled_train, test = features['train'].part(labeled), features['test']
    details: dict[str, Any] = {}
    if protocol == 'linear':
        groups = groups_by_pattern(
            [train.names[i] for i in labeled], options.pop('group_pattern', None)
        )
        metrics, details = evaluate_linear(labeled_train, test, num_classes, groups, **options)
    elif protocol == 'linear-sgd':
        metrics, details = evaluate_linear_sgd(
            labeled_train, test, num_classes, seed=seed, **options
        )
    elif protocol == 'knn':
        metrics, details = evaluate_knn(labeled_train, test, num_classes, **options)
    else:
        metrics = evaluate_retrieval(labeled_train, test, **options)
    metrics['feature_std'] = feature_std(test.values)
    metrics['effective_rank'] = effective_rank(test.values)
    return metrics, details


def _read_by(cfg: Config, protocol: str) -> dict[str, Any]:
    """Pick the parts of a config that a protocol's numbers depend on."""
    keys = [_config_key(protocol), 'model', 'test_dataloader', 'backbone_name']
    if protocol == 'finetune':
        keys += ['train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler']
        if cfg.get('custom_hooks'):  # named only where there are any, as in earlier hashes
            keys.append('custom_hooks')
    elif 'feature_pooling' in cfg:
        keys.append('feature_pooling')
    parts = {key: cfg.get(key) for key in keys}
    parts['train_annotation'] = cfg.train_dataloader.dataset.ann_file
    return parts


def _texts_read(
    protocol: str, texts: str, classes: Sequence[str], names: Sequence[str]
) -> dict[str, str]:
    """Version of the sentences that a protocol reads, by the path of their cache."""
    reader = TargetReader(texts)
    keys = classes if protocol == 'zeroshot' else reader.lookup_all(names)
    return {portable_path(texts): cache_version(texts, [key for key in keys if key is not None])}


def _config_key(protocol: str) -> str:
    """Return the name of a protocol's settings in a config, where ``-`` cannot be."""
    return protocol.replace('-', '_')


def _relative(path: str) -> str:
    """Write a path relative to the working folder where it lies inside."""
    try:
        return Path(path).resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
