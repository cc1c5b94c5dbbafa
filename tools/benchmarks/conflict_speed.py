"""Time of a training step in which GradientConflictHook measures, against one in which it does not.

Both are steps of one model on the same videos in turn, data loading included, in this process and
without workers.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from teacher_speed import Training

from mmact_ssl.engine.hooks.gradient_conflict_hook import GradientConflictHook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument(
        '--config', default='configs/hcpg_r3d_jhmdb.py', help='pre-training config, caches made'
    )
    parser.add_argument('--interval', type=int, default=50, help='of the hook, to reckon its cost')
    parser.add_argument('--steps', type=int, default=10, help='timed steps of each kind')
    parser.add_argument('--device', default='cpu')


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Time both in turn, print the medians and what the hook adds, and return the figures."""
    cfg = Config.fromfile(args.config)
    init_default_scope(cfg.get('default_scope', 'mmact_ssl'))
    torch.set_num_threads(1)
    training = Training(cfg, args.device)
    hook = GradientConflictHook(args.interval)
    observers = {'plain': [], 'measured': [hook.measure]}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in observers}
    for number in range(-1, args.steps):  # the first one warms up
        # In turn the first one, which finds the videos unread.
        for name in sorted(observers, reverse=bool(number % 2)):
            training.model.loss_observers = observers[name]
            taken = training.step(number + 1)
            if number >= 0:
                seconds[name].append(taken)
    medians = {name: np.median(values, axis=0).tolist() for name, values in seconds.items()}
    more = medians['measured'][1] / medians['plain'][1] - 1
    print(
        f'{args.config}, batches of {training.batch_size}, median of {args.steps} steps by '
        f'processor time: {medians["plain"][1]:.3f} s, measured {medians["measured"][1]:.3f} s, '
        f'{more:.1%} more; once in {args.interval} steps {more / args.interval:.2%}'
    )
    return {
        'config': args.config,
        'batch_size': training.batch_size,
        'steps': args.steps,
        'interval': args.interval,
        'elapsed_and_cpu_seconds': medians,
        'more_per_measured_step': more,
        'more_per_step': more / args.interval,
        'versions': {'torch': torch.__version__},
    }
