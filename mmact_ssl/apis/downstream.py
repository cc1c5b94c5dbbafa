"""Downstream configs that fit a saved network, on a prepared folder or on its own data set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.part_checks import plain_part
from mmact_ssl.apis.parts import build_without_memory
from mmact_ssl.engine.launch import (
    apply_options,
    check_kind_of_data,
    names_a_set,
    read_config,
)
from mmact_ssl.engine.saved_config import find_value, read_saved_config
from mmact_ssl.errors import CheckpointError, ConfigError, KindError
from mmact_ssl.evaluation.labels_read import labels_read
from mmact_ssl.evaluation.trained_network import saved_backbone
from mmact_ssl.files import reading
from mmact_ssl.preparation.own_folder import (
    describe_folder,
    keep_labeled,
    split_folder,
    telling_data,
)
from mmact_ssl.shipped_configs import DOWNSTREAM, SETS, find_set

# Ends the error of a network that is refused.
TRUSTED = 'if you trust the file, give a downstream config'


def config_for(
    checkpoint: str,
    data: str | None,
    options: Sequence[str] | None = None,
    dataset: str | None = None,
) -> Config:
    """Read the downstream config of the network in a checkpoint, for a prepared folder or a set.

    It is ``configs/downstream/NETWORK.py`` with the arguments that the network was built with.

    Args:
        checkpoint: What tools/train.py or tools/publish_model.py has written.
        data, dataset: Of :func:`mmact_ssl.engine.launch.read_config`, one of them.
        options: As of ``--cfg-options``.

    Raises:
        ConfigError: No downstream config is for the network, or the data are skeletons where it
            reads videos, the other way round, or skeletons of another layout or dimension.
        CheckpointError: The file does not say its network, or names code that is none.
    """
    name, backbone = saved_network(checkpoint)
    path = _config_of(name, checkpoint)
    backbone = _plain_backbone(backbone, checkpoint)
    source = data or f'the set {dataset}'
    try:
        cfg = read_config(str(path), data=data, dataset=dataset)
        check_kind_of_data(cfg)
    except KindError as error:
        kinds = ['videos', 'skeletons']
        own, other = kinds if _holds_skeletons(data, dataset) else reversed(kinds)
        raise ConfigError(
            f'{checkpoint} holds a network for {own}, {name!r}, and {source} holds {other}: give a '
            f'checkpoint that was trained on {other}, or {own} to evaluate it on'
        ) from error
    layout, bodies = find_value(backbone, 'layout'), cfg.get('bodies')
    if bodies and layout not in (None, bodies.layout):
        raise ConfigError(
            f'{checkpoint} was trained on skeletons of the layout {layout}, and {source} has '
            f'{bodies.layout}: a network reads one layout'
        )
    trained = find_value(backbone, 'in_channels') or 3
    found = find_value(cfg.model.backbone, 'in_channels') or 3
    if bodies and trained != found:
        raise ConfigError(
            f'{checkpoint} was trained on {trained} values per joint, and {source}, of '
            f'{bodies.get("in_channels", 3)} coordinates, gives {found}: give a checkpoint of such '
            'skeletons'
        )
    _use_network(cfg, backbone, checkpoint)
    apply_options(cfg, options)
    return cfg


def _config_of(network: str, checkpoint: str) -> Path:
    """Path of the downstream config of a network."""
    path = DOWNSTREAM / f'{network}.py'
    if not path.is_file():
        known = ', '.join(sorted(p.stem for p in DOWNSTREAM.glob('*.py')))
        raise ConfigError(
            f'{checkpoint}: holds the network {network!r} and there is no {path.name} of '
            f'configs/downstream/: give a downstream config, as there are for {known}'
        )
    return path


def _holds_skeletons(data: str | None, dataset: str | None) -> bool:
    if data is not None:
        return 'layout' in describe_folder(data)
    return 'bodies' in Config.fromfile(find_set(str(dataset)))


def find_downstream(backbone_name: str, dataset_name: str, checkpoint: str) -> Config:
    """Find the config that evaluates a student: of its network and, where it is shipped, its set.

    Raises:
        ConfigError: There is no such config.
        CheckpointError: The file names a type that is not a network, or records none and its data
            set is not shipped.
    """
    path = _config_of(backbone_name, checkpoint)
    cfg = read_for_card(str(path), dataset_name, checkpoint)
    # With the arguments that it was trained with, such as the layout of its skeletons. The config
    # has some itself, for a file without a record of its network.
    if cfg.dataset_name != dataset_name or saved_backbone(checkpoint):
        _, backbone = saved_network(checkpoint)
        _use_network(cfg, _plain_backbone(backbone, checkpoint), checkpoint)
    return cfg


def read_for_card(path: str, dataset_name: str, checkpoint: str) -> Config:
    """Read a downstream config on the set that a student was trained on.

    In the place of a folder of one's own, which may be gone, any set of its kind makes the same
    steps but for those that the checkpoint records.
    """
    if (SETS / f'{dataset_name}.py').is_file():
        with telling_data(None, dataset_name):
            return read_config(path)
    try:
        with telling_data(None, 'demo'):
            cfg = read_config(path)
    except AttributeError:  # a set of videos has no bodies
        with telling_data(None, 'nwucla'):
            cfg = read_config(path)
    if not names_a_set(cfg):
        _, saved = read_saved_config(checkpoint, ('format_bodies', 'pad'))
        own = {step['type']: step for step in saved.values()}
        for loader in (cfg.train_dataloader, cfg.test_dataloader):
            steps = loader.dataset.pipeline
            loader.dataset.pipeline = [own.get(step.type, step) for step in steps]
    return cfg


def _plain_backbone(backbone: dict[str, Any], checkpoint: str) -> dict[str, Any]:
    with reading(checkpoint, TRUSTED, CheckpointError):
        return plain_part(backbone, 'backbone', 'backbone')


def _use_network(cfg: Config, backbone: dict[str, Any], checkpoint: str) -> None:
    """Give a config the backbone of a file, once it is known what building it does."""
    # Tasks may read earlier maps too; what is evaluated is the last one.
    backbone.pop('out_indices', None)
    cfg.merge_from_dict({'model': {'backbone': backbone}})
    with reading(checkpoint, TRUSTED, CheckpointError):
        merged = plain_part(cfg.model.backbone.to_dict(), 'backbone', 'model.backbone')
        build_without_memory(merged, 'model.backbone', os.path.getsize(checkpoint))


def fit_lists(cfg: Config, splits: bool = True) -> None:
    """Keep the labeled samples of the folder that a config reads, split if it has no test list.

    What is done is said. Lists that an option names stay, missing or not.

    Args:
        splits: False if nothing may be held out, see :func:`may_hold_out`: a missing test list is
            a ConfigError.
    """
    folder = cfg.get('own_folder')
    if folder is None:
        return
    sets = {split: cfg[f'{split}_dataloader'].dataset for split in ('train', 'test')}
    own = [split for split, dataset in sets.items() if dataset.ann_file == folder[split]]
    lists = folder.to_dict()
    said = keep_labeled(lists, own)
    if len(own) == len(sets) and not os.path.isfile(lists['test']):
        if not splits:
            raise ConfigError(
                f'{lists["root"]} has no test list, and the student was trained with its labels: '
                f'prepare the folder with one, `{folder["test_command"]}`, and train again'
            )
        said.append(split_folder(lists))
    for line in said:
        print(line)
    for split in own:
        sets[split].ann_file = lists[split]


def may_hold_out(cfg: Config, checkpoints: Iterable[str]) -> bool:
    """False if students were trained with the labels of the folder that a config reads.

    Raises:
        ConfigError: A student was trained with labels of another training list of the folder, which
            may have held what is now for tests.
    """
    folder, may = cfg.get('own_folder'), True
    for checkpoint in checkpoints if folder else ():
        read = labels_read(checkpoint)
        if read is None:
            continue
        is_same = read.dataset == folder.name
        if read.folder_hash == folder.train_hash or (is_same and not read.folder_hash):
            may = False
        elif is_same:
            raise ConfigError(
                f'{checkpoint} was trained with labels of {folder.name!r}, whose training list was '
                'another one, so that test clips may be among them: train again (or rename the '
                'folder, if it is another one)'
            )
    return may


def saved_network(checkpoint: str) -> tuple[str, dict[str, Any]]:
    """Read name and config of the network in a training checkpoint or a published file."""
    if checkpoint.endswith('.safetensors'):
        card = read_card(checkpoint)
        return card.backbone_name, card.backbone
    _, saved = read_saved_config(checkpoint, ('backbone_name', 'model'))
    try:
        return str(saved['backbone_name']), dict(saved['model']['backbone'])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f'{checkpoint}: does not say which network it holds (no config with backbone_name and '
            'model.backbone in it): give a downstream config, configs/downstream/*.py'
        ) from error
