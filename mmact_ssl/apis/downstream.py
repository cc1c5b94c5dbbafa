"""Downstream configs that fit a saved network, on a prepared folder or on its own data set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.config import Config

from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.part_checks import plain_part
from mmact_ssl.apis.parts import build_without_memory
from mmact_ssl.engine.launch import apply_options, check_kind_of_data, read_config
from mmact_ssl.engine.saved_config import find_value, read_saved_config
from mmact_ssl.errors import CheckpointError, ConfigError, KindError
from mmact_ssl.evaluation.labels_read import labels_read
from mmact_ssl.evaluation.trained_network import saved_backbone
from mmact_ssl.files import reading
from mmact_ssl.preparation.own_folder import describe_folder, keep_labeled, split_folder
from mmact_ssl.shipped_configs import CONFIGS

DOWNSTREAM = CONFIGS / 'downstream'
# Ends the error of a network that is refused.
TRUSTED = 'if you trust the file, give a downstream config'


def config_for(
    checkpoint: str, data: str, options: Sequence[str] | None = None, trains: bool = False
) -> Config:
    """Read the downstream config of the network in a checkpoint, for a prepared folder.

    It is ``configs/downstream/linear_NETWORK.py`` (``finetune_NETWORK.py`` if it ``trains``) with
    the arguments that the network was built with.

    Args:
        checkpoint: What tools/train.py or tools/publish_model.py has written.
        data: Prepared folder.
        options: As of ``--cfg-options``.

    Raises:
        ConfigError: No downstream config is for the network, or the folder holds skeletons where it
            reads videos, the other way round, or skeletons of another layout or dimension.
        CheckpointError: The file does not say its network, or names code that is none.
    """
    name, backbone = saved_network(checkpoint)
    path = DOWNSTREAM / f'{"finetune" if trains else "linear"}_{name}.py'
    if not path.is_file():
        known = sorted(p.stem.partition('_')[2] for p in DOWNSTREAM.glob(f'{path.stem[:4]}*_*.py'))
        raise ConfigError(
            f'{checkpoint}: holds the network {name!r} and there is no {path.name}: give a '
            f'downstream config, as there are for {", ".join(n for n in known if "_" not in n)}'
        )
    backbone = _plain_backbone(backbone, checkpoint)
    try:
        cfg = read_config(str(path), data=data)
        check_kind_of_data(cfg)
    except KindError as error:
        kinds = ['videos', 'skeletons']
        own, other = kinds if 'layout' in describe_folder(data) else reversed(kinds)
        raise ConfigError(
            f'{checkpoint} holds a network for {own}, {name!r}, and {data} holds {other}: give a '
            f'checkpoint that was trained on {other}, or a folder of {own}'
        ) from error
    layout, bodies = find_value(backbone, 'layout'), cfg.get('bodies')
    if bodies and layout not in (None, bodies.layout):
        raise ConfigError(
            f'{checkpoint} was trained on skeletons of the layout {layout}, and {data} has '
            f'{bodies.layout}: a network reads one layout'
        )
    trained = find_value(backbone, 'in_channels') or 3
    found = find_value(cfg.model.backbone, 'in_channels')
    if bodies and trained != found:
        raise ConfigError(
            f'{checkpoint} was trained on {trained} values per joint, and {data}, of '
            f'{bodies.in_channels} coordinates, gives {found}: give a checkpoint of such skeletons'
        )
    _use_network(cfg, backbone, checkpoint)
    apply_options(cfg, options)
    return cfg


def find_downstream(backbone_name: str, dataset_name: str, checkpoint: str) -> Config:
    """Find the config that evaluates a student: of its network and, where there is one, its set.

    Raises:
        ConfigError: There is no such config.
        CheckpointError: The file names a type that is not a network, or records none and its data
            set has no config.
    """
    base = CONFIGS / '_base_' / 'downstream' / f'{backbone_name}.py'
    of_set = sorted(DOWNSTREAM.glob(f'linear_*_{dataset_name}.py'))
    for path in (*of_set, *([base] if base.is_file() else [])):
        cfg = Config.fromfile(path)
        fits = cfg.get('backbone_name') == backbone_name
        if fits and cfg.test_dataloader.dataset.get('pipeline'):
            # With the arguments that it was trained with, such as the layout of its skeletons. The
            # config of a set has some itself, for a file without a record of its network.
            if path == base or saved_backbone(checkpoint):
                _, backbone = saved_network(checkpoint)
                _use_network(cfg, _plain_backbone(backbone, checkpoint), checkpoint)
            return cfg
    raise ConfigError(
        f'{checkpoint}: no config under {DOWNSTREAM} evaluates the backbone {backbone_name!r} on '
        f'{dataset_name!r}: give one by --downstream'
    )


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
