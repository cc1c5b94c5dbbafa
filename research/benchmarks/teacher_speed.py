"""Training steps with targets from caches, with targets from online teachers, and without teachers.

All train the model of one config on the same generated videos, with data loading but without
workers: DTG-Net on JHMDB with the two teachers of its recipe. An online teacher reads the frames of
its views at the student's size; a cache holds random numbers of the same shape as its predictions.
``without`` reads no cache: its targets are constants of the same shape.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from interleave import compare
from made_data import make_videos, use_videos
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import DATASETS, MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
ONLINE_TARGET, WITHOUT_TARGET = 19.0, 1.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--config', default=str(CONFIGS / 'dtg_r3d18-small.py'), help='pre-training config'
    )
    parser.add_argument(
        '--teachers',
        nargs='*',
        metavar='TARGET=CONFIG',
        default=[
            f'imagenet={CONFIGS}/teachers/efficientnet_lite0_imagenet.py',
            f'pose={CONFIGS}/teachers/movenet_thunder.py',
        ],
        help="the teacher behind each of the config's targets; none: no teacher online",
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=40,
        help='length of the videos, by default the longest of JHMDB',
    )
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--steps', type=int, default=3, help='timed steps of each kind')


def online_config(cfg: Config, teachers: dict[str, Any]) -> Config:
    """The same training with the teachers inside the model and no cache.

    Args:
        cfg: Pre-training config that reads targets by ``LoadTargets``.
        teachers: Target -> the teacher's config.

    Raises:
        ConfigError: A target of the config has no teacher, or a teacher has no target.
    """
    cfg = copy.deepcopy(cfg)
    pipeline = cfg.train_dataloader.dataset.pipeline
    cached = {step.target: step for step in pipeline if step.type == 'LoadTargets'}
    if set(cached) != set(teachers):
        raise ConfigError(
            f'{cfg.filename} reads the targets {sorted(cached)}, --teachers names '
            f'{sorted(teachers)}: name a config for each'
        )
    rest = [step for step in pipeline if step.type != 'LoadTargets']
    cfg.train_dataloader.dataset.pipeline = rest
    online = {f'{view}.{name}' for name, step in cached.items() for view in step.views}
    preprocessor = cfg.model.data_preprocessor
    preprocessor.targets = [name for name in preprocessor.targets if name not in online]
    cfg.model.teachers = ConfigDict(
        {
            name: dict(teacher=teachers[name], views=list(step.views))
            for name, step in cached.items()
        }
    )
    return cfg


def training(cfg: Config, without: bool = False) -> Callable[[int], None]:
    """A function that reads a batch and trains on it; with ``without`` targets are constants."""
    torch.manual_seed(0)
    data_set = DATASETS.build(cfg.train_dataloader.dataset)
    data_set.set_progress(0, 0)
    if without:
        leave_out_caches(data_set)
    model = MODELS.build(cfg.model).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)

    def run(number: int) -> None:
        batch = pseudo_collate([data_set[index] for index in range(len(data_set))])
        model.train_step(batch, optim_wrapper)

    return run


def leave_out_caches(data_set: Any) -> None:
    """Replace the cached targets of a data set's pipeline by constants."""
    transforms = data_set.pipeline.transforms
    loaded = [step for step in transforms if type(step).__name__ == 'LoadTargets']
    shapes = data_set[0]['targets']
    constants: dict[str, dict[str, np.ndarray]] = {}
    for step in loaded:
        for view in step.views:
            value = np.full(shapes[view][step.target].shape, 0.5, np.float32)
            constants.setdefault(view, {})[step.target] = value

    def add(results: dict[str, Any]) -> dict[str, Any]:
        for view, targets in constants.items():
            results.setdefault('targets', {}).setdefault(view, {}).update(targets)
        return results

    transforms[:] = [step for step in transforms if step not in loaded]
    transforms.insert(-1, add)  # before PackInputs


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare cached with online targets, and with none."""
    cfg = read_config(args.config)
    init_default_scope(cfg.get('default_scope', 'mmact_ssl'))
    with tempfile.TemporaryDirectory() as name:
        videos = make_videos(args.cache, 2, num_frames=args.frames)
        use_videos(cfg, Path(name), videos, args.batch_size)
        ways = {'cached': partial(training, cfg), 'without': partial(training, cfg, without=True)}
        title = f'{Path(args.config).name}, batches of {args.batch_size}'
        figures = [compare(title, ways, 'without', args.steps, target=WITHOUT_TARGET)]
        if args.teachers:
            paths = dict(pair.split('=', 1) for pair in args.teachers)
            teachers = {name: Config.fromfile(path).teacher for name, path in paths.items()}
            del ways['without']
            ways['online'] = partial(training, online_config(cfg, teachers))
            figures.append(
                compare(title, ways, 'online', args.steps, faster=True, target=ONLINE_TARGET)
            )
    return figures
