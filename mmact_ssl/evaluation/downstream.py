"""Downstream configs that fit a saved network, on a prepared folder or on its own data set."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from mmengine.config import Config

from mmact_ssl.datasets.prepared_folder import describe_folder, keep_labeled, split_folder
from mmact_ssl.engine.launch import apply_options, check_kind_of_data, read_config
from mmact_ssl.errors import ConfigError, KindError
from mmact_ssl.evaluation.student import require_backbone, with_saved_backbone
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.shipped_configs import CONFIGS

DOWNSTREAM = CONFIGS / 'downstream'
# Arguments of a backbone that a config found here keeps.
POOLING = re.compile(r'(.*\.)?pool')


def config_for(
    saved: SavedRun, data: str, options: Sequence[str] | None = None, trains: bool = False
) -> Config:
    """Read the downstream config of a saved network, for a prepared folder.

    It is ``configs/downstream/linear_NETWORK.py`` (``finetune_NETWORK.py`` if it ``trains``) with
    the arguments that the network was built with.

    Args:
        saved: What tools/train.py or tools/publish_model.py has written.
        data: Prepared folder.
        options: As of ``--cfg-options``.

    Raises:
        ConfigError: No downstream config is for the network, or the folder holds skeletons where it
            reads videos, the other way round, or skeletons of another layout or dimension.
        CheckpointError: The file does not say its network, or names code that is none.
    """
    name = saved.backbone_name
    path = DOWNSTREAM / f'{"finetune" if trains else "linear"}_{name}.py'
    if name and not path.is_file():
        known = sorted(p.stem.partition('_')[2] for p in DOWNSTREAM.glob(f'{path.stem[:4]}*_*.py'))
        raise ConfigError(
            f'{saved.path}: holds the network {name!r} and there is no {path.name}: give a '
            f'downstream config, as there are for {", ".join(n for n in known if "_" not in n)}'
        )
    require_backbone(saved)
    try:
        cfg = read_config(str(path), data=data)
        check_kind_of_data(cfg)
    except KindError as error:
        kinds = ['videos', 'skeletons']
        own, other = kinds if 'layout' in describe_folder(data) else reversed(kinds)
        raise ConfigError(
            f'{saved.path} holds a network for {own}, {name!r}, and {data} holds {other}: give a '
            f'checkpoint that was trained on {other}, or a folder of {own}'
        ) from error
    cfg = with_saved_backbone(cfg, saved, own=POOLING)
    apply_options(cfg, options)
    return cfg


def find_downstream(saved: SavedRun) -> Config:
    """Find the config that evaluates a student: of its network and, where there is one, its set.

    Raises:
        ConfigError: There is no such config.
        CheckpointError: The file names a type that is not a network, or records none and its data
            set has no config.
    """
    backbone_name, dataset_name = saved.backbone_name, saved.dataset_name
    base = CONFIGS / '_base_' / 'downstream' / f'{backbone_name}.py'
    of_set = sorted(DOWNSTREAM.glob(f'linear_*_{dataset_name}.py'))
    for path in (*of_set, *([base] if base.is_file() else [])):
        cfg = Config.fromfile(path)
        fits = cfg.get('backbone_name') == backbone_name
        if fits and cfg.test_dataloader.dataset.get('pipeline'):
            # With the arguments that it was trained with, such as the layout of its skeletons. The
            # config of a set has some itself, for a file without a record of its network.
            if path == base or saved.backbone:
                require_backbone(saved)
                cfg = with_saved_backbone(cfg, saved, own=POOLING)
            return cfg
    raise ConfigError(
        f'{saved.path}: no config under {DOWNSTREAM} evaluates the backbone {backbone_name!r} on '
        f'{dataset_name!r}: give one by --downstream'
    )


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


def may_hold_out(cfg: Config, students: Iterable[SavedRun]) -> bool:
    """False if students were trained with the labels of the folder that a config reads.

    Raises:
        ConfigError: A student was trained with labels of another training list of the folder, which
            may have held what is now for tests.
    """
    folder, may = cfg.get('own_folder'), True
    for student in students if folder else ():
        read = student.labels_read
        if read is None:
            continue
        is_same = read.dataset == folder.name
        if read.folder_hash == folder.train_hash or (is_same and not read.folder_hash):
            may = False
        elif is_same:
            raise ConfigError(
                f'{student.path} was trained with labels of {folder.name!r}, whose training list '
                'was another one, so that test clips may be among them: train again (or rename the '
                'folder, if it is another one)'
            )
    return may
