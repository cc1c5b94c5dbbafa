"""Time of a training step whose targets come from caches, against teachers that run beside it.

Both train the model of one config on the same videos in turn, data loading included, in this
process and without workers. Online, each teacher reads the frames of the views that it teaches, at
the student's size; its cache holds what it says of the whole frames.
"""

from __future__ import annotations

import argparse
import copy
import time
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import DATASETS, MODELS

FLOOR = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument(
        '--config', default='configs/dtg_r3d_jhmdb.py', help='pre-training config, caches made'
    )
    parser.add_argument(
        '--teachers',
        nargs='+',
        metavar='TARGET=CONFIG',
        default=[
            'imagenet=configs/teachers/efficientnet_lite0_imagenet.py',
            'pose=configs/teachers/movenet_lightning.py',
        ],
        help="the teacher behind each of the config's targets",
    )
    parser.add_argument('--steps', type=int, default=5, help='timed steps of each kind')
    parser.add_argument('--device', default='cpu')


def online_config(cfg: Config, teachers: dict[str, Any]) -> Config:
    """The same training with the teachers inside the model and no cache.

    Args:
        cfg: Pre-training config that reads targets by ``LoadTargets``.
        teachers: Target -> the teacher's config.

    Raises:
        ConfigError: A target of the config has no teacher, or a teacher no target.
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


class Training:
    """One way to train, a step at a time, always on the same batches."""

    def __init__(self, cfg: Config, device: str) -> None:
        torch.manual_seed(0)
        self.dataset = DATASETS.build(cfg.train_dataloader.dataset)
        self.dataset.set_progress(0, 0)
        self.batch_size = cfg.train_dataloader.batch_size
        self.model = MODELS.build(cfg.model).to(device).train()
        self.optim_wrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)

    def step(self, number: int) -> tuple[float, float]:
        """Train on batch ``number``; elapsed and processor seconds, loading included."""
        start = time.perf_counter(), time.process_time()
        first = number * self.batch_size
        indices = np.arange(first, first + self.batch_size) % len(self.dataset)
        batch = pseudo_collate([self.dataset[int(index)] for index in indices])
        self.model.train_step(batch, self.optim_wrapper)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - start[0], time.process_time() - start[1]


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Time both in turn, print the medians and their ratio, and return the figures."""
    cfg = Config.fromfile(args.config)
    init_default_scope(cfg.get('default_scope', 'mmact_ssl'))
    torch.set_num_threads(1)
    paths = dict(pair.split('=', 1) for pair in args.teachers)
    teachers = {name: Config.fromfile(path).teacher for name, path in paths.items()}
    ways = {
        'cached': Training(cfg, args.device),
        'online': Training(online_config(cfg, teachers), args.device),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(-1, args.steps):  # the first one warms up
        for name, way in ways.items():
            taken = way.step(number + 1)
            if number >= 0:
                seconds[name].append(taken)
    medians = {name: np.median(values, axis=0).tolist() for name, values in seconds.items()}
    ratio, cpu_ratio = np.divide(medians['online'], medians['cached']).tolist()
    print(
        f'{args.config}, batches of {ways["cached"].batch_size}, median of {args.steps} steps: '
        f'cached {medians["cached"][0]:.2f} s, online {medians["online"][0]:.2f} s, '
        f'{ratio:.1f} times; by processor time {cpu_ratio:.1f} times (floor {FLOOR:g})'
    )
    return {
        'config': args.config,
        'teachers': paths,
        'batch_size': ways['cached'].batch_size,
        'steps': args.steps,
        'elapsed_and_cpu_seconds': medians,
        'ratio': ratio,
        'cpu_ratio': cpu_ratio,
        'floor': FLOOR,
        'versions': {'torch': torch.__version__},
    }
