"""Running one or more protocols of a downstream config on one encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.datasets.label_subset import label_subset
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import (
    Split,
    class_names,
    read_splits,
    share_labels,
)
from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.evaluation.protocols.base import Request, Task
from mmact_ssl.evaluation.provenance import (
    config_hash,
    config_name,
    data_version,
)
from mmact_ssl.evaluation.results import RANDOM, Result
from mmact_ssl.evaluation.student import start_hash
from mmact_ssl.saved_run import SavedRun


def evaluate(
    request: Request, protocols: Sequence[str], extracted: dict[str, Features] | None = None
) -> Iterator[Result]:
    """Yield the result of each protocol; all those on frozen features share one extraction.

    Args:
        request: A request that has passed :func:`check_request`.
        protocols: Names in the table of protocols.
        extracted: Frozen features of the encoder by split, filled by the first request that needs
            them.

    Raises:
        ConfigError: The config disagrees with the data.
        DataError: Data is missing.
        CheckpointError: The student does not fit.
    """
    cfg = request.cfg
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    train, test = read_splits(cfg)
    classes = class_names(train, cfg.model.cls_head.num_classes)
    extracted = {} if extracted is None else extracted
    task = Task(request, train, test, draw_labeled(request, train), classes, extracted)
    student = request.student
    checkpoint_hash = student.sha256 if student else start_hash(cfg) or RANDOM
    data = data_version(train, test)
    for name in protocols:
        measured = PROTOCOLS[name].evaluate(task, **cfg.get(_config_key(name), {}))
        measured.metrics['n_test'] = len(test.names)
        if PROTOCOLS[name].frozen:
            measured.metrics.update(task.test_features.spread())
        if 'confusion' in measured.details:
            measured.details['classes'] = task.classes
        yield Result(
            method=request.method,
            variant=request.variant,
            dataset=cfg.dataset_name,
            protocol=name,
            backbone=cfg.backbone_name,
            seed=request.seed,
            metrics=measured.metrics,
            label_fraction=request.label_fraction,
            config=config_name(cfg.filename),
            config_hash=config_hash(hashed_config(cfg, name), train.lines(), test.lines()),
            checkpoint_hash=checkpoint_hash,
            data_version=data,
            synthetic=cfg.get('synthetic', False),
            details=measured.details,
        )


def draw_labeled(request: Request, train: Split) -> np.ndarray:
    """Positions of the drawn training samples, with those that share their labels."""
    drawn = label_subset(train.names, train.labels, request.label_fraction, request.seed)
    return share_labels(train, drawn, request.cfg.get('shared_label_pattern'))


def check_request(request: Request, protocols: Sequence[str]) -> None:
    """Check a request against the needs of its protocols, before any of them runs.

    Raises:
        ConfigError: The config or the request does not fit a protocol, or has too few
            labels for it.
        DataError: Data is missing.
    """
    cfg = request.cfg
    for name in protocols:
        protocol, settings = PROTOCOLS[name], cfg.get(_config_key(name), {})
        if protocol.trains and cfg.get('optim_wrapper') is None:
            raise ConfigError(
                f'{cfg.filename}: no training schedule: the config is for frozen features alone'
            )
        if cfg.get('shared_label_pattern') and protocol.labels not in ('drawn', 'own draws'):
            raise ConfigError(f'{name} draws no labels: leave shared_label_pattern out')
        grouped = settings.get('group_pattern') or settings.get('group_file')
        if cfg.get('shared_label_pattern') and name == 'linear' and not grouped:
            raise ConfigError(
                'linear: folds would part recordings that share a label: give linear.group_pattern'
            )
        if protocol.labels == 'none' and request.label_fraction != 1:
            raise ConfigError(f'{name} draws no labels: evaluate it without --label-fraction')
        if protocol.labels == 'own draws' and request.label_fraction != 1:
            raise ConfigError(
                f'{name} draws its labels itself: evaluate it without --label-fraction, or give '
                f'--cfg-options {name}.labels=1,3'
            )
        if request.student is not None:
            check_labels(request.student, name, request)
        elif protocol.needs_checkpoint:
            raise ConfigError(
                f'{name} needs the {protocol.needs_checkpoint} of a checkpoint: drop --random'
            )
    if checks := [check for name in protocols if (check := PROTOCOLS[name].check_labels)]:
        train, _ = read_splits(cfg)
        for check in checks:
            check(train.labels[draw_labeled(request, train)])


def check_labels(student: SavedRun, name: str, request: Request) -> None:
    """Refuse another draw of the labels than the one that a student was trained with.

    A larger fraction of the same draw, and all labels, contain the labels of the training. A
    protocol that draws its labels itself takes no such student.

    Raises:
        ConfigError: The features know labels that the protocol does not draw, or the classifier of
            joint training was trained with others, or for the classes of another set.
    """
    read, labels = student.labels_read, PROTOCOLS[name].labels
    if read is None or labels == 'none':
        return
    if read.dataset != request.cfg.dataset_name:
        if labels == 'of the checkpoint':
            raise ConfigError(
                f'{name}: the classifier of {student.path} knows the classes of {read.dataset}, '
                f'not of {request.cfg.dataset_name}: give the data of its training, or take linear'
            )
        return
    fraction, seed = request.label_fraction, request.seed
    is_shared = read.shared in ('', request.cfg.get('shared_label_pattern'))
    is_same = (seed == read.seed and is_shared) or fraction == 1
    if labels == 'drawn' and is_same and fraction >= read.fraction:
        return
    if labels == 'of the checkpoint' and is_same and fraction == read.fraction:
        return
    raise ConfigError(
        f'{name}: {student.path} was trained with a fraction of {read.fraction:g} of the labels of '
        f'{read.dataset}, drawn by seed {read.seed}: give --label-fraction {read.fraction:g} '
        f'--seeds {read.seed} and its shared_label_pattern, if any (fewshot: take lda), or a '
        'student that has not read them'
    )


def hashed_config(cfg: Config, name: str) -> dict[str, Any]:
    """Select the parts of a config that a protocol's numbers depend on."""
    keys = [_config_key(name), 'model', 'test_dataloader', 'backbone_name']
    optional = ['feature_pooling', 'feature_deviation']
    if PROTOCOLS[name].trains:
        keys += ['train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler']
        optional = ['custom_hooks']
    keys += [key for key in (*optional, 'shared_label_pattern') if cfg.get(key)]
    annotation = cfg.train_dataloader.dataset.ann_file
    return {**{key: cfg.get(key) for key in keys}, 'train_annotation': annotation}


def _config_key(name: str) -> str:
    """Key of a protocol's settings in a config."""
    return name.replace('-', '_')
