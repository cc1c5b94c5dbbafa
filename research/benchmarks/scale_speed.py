"""Two processes on two cores, against one on one core: iterations of ``tools/train.py``.

Each process trains on batches of the same size, so two processes read twice the clips in an
iteration. ``per core`` is the time of an iteration with one process over that with two: 1 if
communication and shared hardware cost nothing. Two independent trainings at once show the cost of
the hardware alone, as when two cores are two threads of one. Times are elapsed times in the
program's log, with data loading, and need cores that nothing else uses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from made_data import make_videos, use_videos

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.errors import ConfigError, TrainingError

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
TARGET = 0.9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--config', default=str(TOOLS.parent / 'configs' / 'dtg_r3d18-small.py'))
    parser.add_argument('--batch-size', type=int, default=8, help='of each process')
    parser.add_argument('--steps', type=int, default=20, help='of each run')
    parser.add_argument('--rounds', type=int, default=3, help='runs of each kind')


def start(config: Path, cores: list[int], work_dir: Path) -> subprocess.Popen:
    """Start a training of one process on each core."""
    launch = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={len(cores)}']
    words = [
        str(TOOLS / 'train.py'),
        str(config),
        '--work-dir',
        str(work_dir),
        '--launcher=pytorch',
    ]
    # A file: a full pipe would block the training.
    with Path(f'{work_dir}.log').open('w') as log:
        return subprocess.Popen(
            [sys.executable, *launch, *words],
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def train(config: Path, trainings: list[list[int]], folder: Path) -> float:
    """Run trainings at once, each on its cores; median seconds of an iteration after the second."""
    folder.mkdir()
    running = [start(config, cores, folder / str(number)) for number, cores in enumerate(trainings)]
    for number, status in enumerate([training.wait() for training in running]):
        if status:
            error = (folder / f'{number}.log').read_text().strip().splitlines()[-1]
            raise TrainingError(f'{config} failed: {error}')
    seconds = []
    for log in folder.glob('*/*/vis_data/scalars.json'):
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        seconds += [line['time'] for line in lines if 'time' in line][2:]
    return float(np.median(seconds))


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Train in turn with one process, with two, and with one twice."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise ConfigError('benchmark scale needs two cores')
    kinds = {'one': [cores[:1]], 'two': [cores], 'two apart': [[core] for core in cores]}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cfg = read_config(args.config)
        # Enough clips for two processes.
        use_videos(cfg, folder, make_videos(args.cache, 2), 2 * args.batch_size * args.steps)
        cfg.train_dataloader.update(batch_size=args.batch_size, num_workers=0)
        cfg.train_cfg = dict(type='StepsTrainLoop', max_iters=args.steps, max_epochs=1)
        cfg.default_hooks.logger.interval = 1
        cfg.log_processor.window_size = 1
        cfg.default_hooks.checkpoint = None
        cfg.dump(folder / 'config.py')
        for number in range(args.rounds):
            for kind, trainings in kinds.items():
                work_dirs = folder / f'{kind}_{number}'
                seconds[kind].append(train(folder / 'config.py', trainings, work_dirs))
    per_core, beside = (np.divide(seconds[kind], seconds['two']) for kind in ('one', 'two apart'))
    print(
        f'{Path(args.config).name}, batches of {args.batch_size} in each process: '
        f'{np.median(seconds["one"]):.3f} s with one, {np.median(seconds["two"]):.3f} s with two, '
        f'{np.median(seconds["two apart"]):.3f} s of two apart; per core '
        f'{np.median(per_core):.2f} ({per_core.min():.2f}..{per_core.max():.2f}), target >= '
        f'{TARGET}; against two apart {np.median(beside):.2f} ({beside.min():.2f}..'
        f'{beside.max():.2f})'
    )
    return [
        dict(
            config=args.config,
            seconds=seconds,
            per_core=per_core.tolist(),
            against_two_apart=beside.tolist(),
            target=TARGET,
        )
    ]
