"""Checking and running one or more protocols on one encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import signature
from typing import cast

from mmengine.registry import init_default_scope

from mmact_ssl.encoders.encoder import weights_hash
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.protocols import PROTOCOLS
from mmact_ssl.evaluation.protocols.base import ProtocolInput
from mmact_ssl.evaluation.results import RANDOM, Details, Result, config_hash, data_version


def plan_protocols(text: str) -> list[str]:
    """Parse names in :data:`PROTOCOLS`, separated by commas."""
    names = list(dict.fromkeys(map(str.strip, text.split(','))))
    for name in names:
        if name not in PROTOCOLS:
            raise ConfigError(f'protocol {name!r}: choose among {", ".join(PROTOCOLS)}')
    return names


def check_inputs(inputs: ProtocolInput, protocols: Sequence[str]) -> None:
    """Check inputs against the needs of their protocols, before any of them runs.

    Raises:
        ConfigError: The config, the encoder or the part of the labels does not fit a protocol, or
            there are too few labels for it.
    """
    cfg, fraction = inputs.cfg, inputs.label_fraction
    shares_labels = cfg.get('shared_label_pattern')
    for name in protocols:
        protocol, settings = PROTOCOLS[name], cfg.get(name, {})
        if inputs.encoder.motion is not None and not protocol.frozen:
            raise ConfigError(
                f'{name} trains the network without the descriptor of motion of '
                f'{inputs.encoder.source}: give another --encoder'
            )
        if unknown := settings.keys() - signature(protocol.evaluate).parameters.keys():
            known = ', '.join([*signature(protocol.evaluate).parameters][1:])
            raise ConfigError(f'{name}.{min(unknown)}: no such setting, there are {known}')
        if shares_labels and protocol.labels not in ('drawn', 'own draws'):
            raise ConfigError(f'{name} draws no labels: leave shared_label_pattern out')
        grouped = settings.get('group_pattern') or settings.get('group_file')
        if shares_labels and name == 'linear' and not grouped:
            raise ConfigError(
                'linear: folds would part recordings that share a label: give linear.group_pattern'
            )
        if protocol.labels == 'none' and fraction != 1:
            raise ConfigError(f'{name} draws no labels: evaluate it without --label-fraction')
        if protocol.labels == 'own draws' and fraction != 1:
            raise ConfigError(
                f'{name} draws its labels itself: evaluate it without --label-fraction, or give '
                f'--cfg-options {name}.labels=1,3'
            )
        if protocol.labels == 'of the checkpoint' and inputs.saved is None:
            raise ConfigError(f'{name} tests the classifier of a checkpoint: drop --random')
        check_draw(inputs, name)
        if protocol.check_labels is not None:
            protocol.check_labels(inputs.train.labels[inputs.labeled])


def check_draw(inputs: ProtocolInput, name: str) -> None:
    """Refuse another draw of the labels than the one that the encoder was trained with.

    A larger fraction of the same draw, and all labels, contain the labels of the training. A
    protocol that draws its labels itself takes no such encoder.

    Raises:
        ConfigError: The features know labels that the protocol does not draw, or the classifier of
            joint training was trained with others, or for the classes of another set.
    """
    labels = PROTOCOLS[name].labels
    if inputs.saved is None or inputs.saved.labels_read is None or labels == 'none':
        return
    read = inputs.saved.labels_read
    path, dataset = inputs.saved.path, inputs.cfg.dataset_name
    if read.dataset != dataset:
        if labels == 'of the checkpoint':
            raise ConfigError(
                f'{name}: the classifier of {path} knows the classes of {read.dataset}, not of '
                f'{dataset}: give the data of its training, or take linear'
            )
        return
    fraction = inputs.label_fraction
    is_shared = read.shared in ('', inputs.cfg.get('shared_label_pattern'))
    is_same = (inputs.seed == read.seed and is_shared) or fraction == 1
    if labels == 'drawn' and is_same and fraction >= read.fraction:
        return
    if labels == 'of the checkpoint' and is_same and fraction == read.fraction:
        return
    raise ConfigError(
        f'{name}: {path} was trained with a fraction of {read.fraction:g} of the labels of '
        f'{dataset}, drawn by seed {read.seed}: give --label-fraction {read.fraction:g} '
        f'--seeds {read.seed} and its shared_label_pattern, if any (fewshot: take lda), or a '
        'student that has not read them'
    )


def evaluate(
    inputs: ProtocolInput, protocols: Sequence[str], method: str, variant: str = 'full'
) -> Iterator[Result]:
    """Yield the result of each protocol; all those on frozen features share one extraction.

    Args:
        inputs: Inputs that have passed :func:`check_inputs`.
        protocols: Names in the table of protocols.
        method, variant: As in the result.

    Raises:
        DataError: Data is missing.
        CheckpointError: The weights do not fit the encoder.
    """
    cfg, encoder = inputs.cfg, inputs.encoder
    init_default_scope(cfg.default_scope)
    checkpoint_hash = weights_hash(encoder, inputs.saved) or RANDOM
    data, lists = data_version(inputs.train, inputs.test), (inputs.train, inputs.test)
    readout = [encoder.name, encoder.pooling, encoder.deviation]
    readout += [encoder.motion] if encoder.motion else []
    for name in protocols:
        protocol = PROTOCOLS[name]
        measured = protocol.evaluate(inputs, **cfg.get(name, {}))
        measured.metrics['n_test'] = len(inputs.test.names)
        if protocol.frozen:
            measured.metrics.update(inputs.features('test').spread())
        if 'confusion' in measured.details:
            measured.details['classes'] = inputs.classes
        keys = [name, 'model', 'test_dataloader', 'shared_label_pattern']
        if protocol.trains:
            keys += ['train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler']
            keys += ['custom_hooks']
        settings = {key: cfg.get(key) for key in keys}  # what the numbers depend on
        settings.update(readout=readout, train=cfg.train_dataloader.dataset.ann_file)
        yield Result(
            method=method,
            variant=variant,
            dataset=cfg.dataset_name,
            protocol=name,
            backbone=encoder.name,
            seed=inputs.seed,
            metrics=measured.metrics,
            label_fraction=inputs.label_fraction,
            config=encoder.source,
            config_hash=config_hash(settings, *(split.lines() for split in lists)),
            checkpoint_hash=checkpoint_hash,
            data_version=data,
            synthetic=cfg.get('synthetic', False),
            details=cast(Details, measured.details),
        )
