"""Downstream configs for a saved network, on a prepared folder or on its own data set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config

from mmact_ssl.datasets.prepared_folder import describe_folder, make_lists
from mmact_ssl.engine.launch import data_environment, names_a_set, read_config
from mmact_ssl.errors import CheckpointError, ConfigError, KindError
from mmact_ssl.evaluation.student import OF_THE_DATA, require_backbone, with_saved_backbone
from mmact_ssl.evaluation.student_inputs import FIX, MAX_FRAMES
from mmact_ssl.files import reading
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.shipped_configs import DOWNSTREAM, SETS, find_set

# Values of a set's file that change how downstream configs read a clip: types and limits. The
# stride is that of the training, see student_inputs.py.
OF_CLIPS = {'clip_frames': ((int,), 1, MAX_FRAMES), 'flip_ratio': ((bool, int, float), 0, 1)}


def config_for(
    saved: SavedRun,
    data: str | None,
    options: Sequence[str] | None = None,
    dataset: str | None = None,
) -> Config:
    """Read ``configs/downstream/NETWORK.py`` of a saved network, for a prepared folder or a set.

    Args:
        saved: Record of a file of tools/train.py or tools/publish_model.py.
        data, dataset: As in :func:`mmact_ssl.engine.launch.read_config`, one of them.
        options: As in ``--cfg-options``.

    Raises:
        ConfigError: There is no downstream config for the network, or it does not read such data:
            videos or skeletons, of this layout and dimension.
        CheckpointError: The file does not record its network, or names a type that is not one.
    """
    path = _config_of(saved)
    require_backbone(saved)
    source = data or f'the set {dataset}'
    try:
        return read_config(str(path), options, data, dataset)
    except KindError as error:
        kinds = ['videos', 'skeletons']
        if data is None:
            has_skeletons = 'bodies' in Config.fromfile(find_set(str(dataset)))
        else:
            has_skeletons = 'layout' in describe_folder(data)
        trained, brought = kinds if has_skeletons else reversed(kinds)
        raise ConfigError(
            f'{saved.path} holds a network for {trained}, {saved.backbone_name!r}, and {source} '
            f'holds {brought}: give a checkpoint that was trained on {brought}, or {trained} to '
            'evaluate it on'
        ) from error


def _config_of(saved: SavedRun) -> Path:
    if not saved.backbone_name:
        require_backbone(saved)
    path = DOWNSTREAM / f'{saved.backbone_name}.py'
    if not path.is_file():
        networks = ', '.join(sorted(p.stem for p in DOWNSTREAM.glob('*.py')))
        raise ConfigError(
            f'{saved.path}: holds the network {saved.backbone_name!r} and there is no {path.name} '
            f'in configs/downstream/: give a downstream config, as there are for {networks}'
        )
    return path


def find_downstream(saved: SavedRun, path: str | None = None) -> Config:
    """Read a downstream config with a student's network, on its data set if that is shipped.

    Args:
        path: The config; by default the one of the network.

    Raises:
        ConfigError: There is no such config, or it does not fit, see :func:`with_saved_backbone`.
        CheckpointError: The file names a type that is not a network, or records none and its data
            set is not shipped.
    """
    if path is None:
        path = str(_config_of(saved))
        # On a shipped set, a file without a record takes the config's network.
        if saved.backbone or not _is_shipped(saved):
            require_backbone(saved)
    return with_saved_backbone(_read_for_card(path, saved), saved)


def _is_shipped(saved: SavedRun) -> bool:
    """True if the data set of a training is shipped; a user's folder may have the name of one."""
    return 'own_folder' not in saved.config and (SETS / f'{saved.dataset_name}.py').is_file()


def _read_for_card(path: str, saved: SavedRun) -> Config:
    """Read a downstream config on the set that a student was trained on.

    A user's own set or folder may be gone: then a shipped set of the same kind gives the pipeline,
    except for the values and steps that the checkpoint records.
    """
    if _is_shipped(saved):
        with data_environment(None, saved.dataset_name):
            return read_config(path)
    try:
        with shipped_set_as_recorded('demo', saved):
            cfg = read_config(path)
    except ConfigError:  # a set of videos has no bodies
        with shipped_set_as_recorded('nwucla', saved):
            cfg = read_config(path)
    if not names_a_set(cfg):
        _forget(cfg.model.backbone, OF_THE_DATA)
        steps = (saved.config.get(name) for name in ('format_bodies', 'pad'))
        recorded = {step['type']: step for step in steps if step}
        for loader in (cfg.train_dataloader, cfg.test_dataloader):
            pipeline = loader.dataset.pipeline
            loader.dataset.pipeline = [recorded.get(step.type, step) for step in pipeline]
    return cfg


@contextmanager
def shipped_set_as_recorded(name: str, saved: SavedRun) -> Iterator[None]:
    """Context in which configs read a shipped set with a training's own :data:`OF_CLIPS`."""
    recorded = {key: saved.config[key] for key in OF_CLIPS if key in saved.config}
    with reading(saved.path, FIX, CheckpointError):
        for key, value in recorded.items():
            types, low, high = OF_CLIPS[key]
            if type(value) not in types or not low <= value <= high:
                raise ValueError(f'{key} is {value!r:.80}, not a number of {low} to {high}')
    with TemporaryDirectory() as folder:
        # JSON, not Python: nothing that a checkpoint records is executed.
        path = Path(folder, f'{name}.json')
        path.write_text(json.dumps({'_base_': find_set(name), **recorded}), encoding='utf-8')
        with data_environment(None, str(path)):
            yield


def _forget(part: Any, names: Iterable[str]) -> None:
    """Remove arguments from a part and its inner parts."""
    for name in names:
        part.pop(name, None)
    for inner in part.values():
        if isinstance(inner, dict):
            _forget(inner, names)


def write_labeled_lists(cfg: Config, may_hold_out: bool = True) -> None:
    """Write lists of a prepared folder's labeled samples, and a missing test list; read these.

    Each change is printed. Lists that an option names stay as they are.

    Args:
        may_hold_out: False if a student was trained with labels of the folder: then a missing
            test list is a ConfigError.
    """
    folder = cfg.get('own_folder')
    if folder is None:
        return
    sets = {split: cfg[f'{split}_dataloader'].dataset for split in ('train', 'test')}
    unchanged = [split for split, dataset in sets.items() if dataset.ann_file == folder[split]]
    lists = folder.to_dict()
    if len(unchanged) == len(sets) and not may_hold_out and not os.path.isfile(lists['test']):
        raise ConfigError(
            f'{lists["root"]} has no test list, and the student was trained with its labels: '
            f'prepare the folder with one, `{folder["test_command"]}`, and train again'
        )
    for message in make_lists(lists, unchanged):
        print(message)
    for split in unchanged:
        sets[split].ann_file = lists[split]
