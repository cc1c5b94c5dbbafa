"""Two processes on two cores, against one on one core: iterations of ``tools/train.py``.

Each process trains on batches of the same size, so that twice the processes read twice the clips in
an iteration; ``per core`` is the time of an iteration with one process over that with two, 1 if
communication and shared memory cost nothing. Times are elapsed times that the program logs, data
loading included, and mean something on cores that nothing else uses.
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
from mmengine.config import Config

from mmact_ssl.errors import TrainingError

TOOLS = Path(__file__).resolve().parents[1]
TARGET = 0.9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--config', default=str(TOOLS.parent / 'configs' / 'dtg_r3d_jhmdb.py'))
    parser.add_argument('--batch-size', type=int, default=8, help='of each process')
    parser.add_argument('--steps', type=int, default=20, help='of each run')
    parser.add_argument('--rounds', type=int, default=3, help='runs of each kind')


def train(config: Path, processes: int, work_dir: Path) -> float:
    """Median seconds of an iteration, the first two left out."""
    cores = sorted(os.sched_getaffinity(0))[:processes]
    launch = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}']
    words = [
        str(TOOLS / 'train.py'),
        str(config),
        '--work-dir',
        str(work_dir),
        '--launcher=pytorch',
    ]
    done = subprocess.run(
        [sys.executable, *launch, *words],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise TrainingError(f'{" ".join(words)} failed: {done.stderr.strip().splitlines()[-1]}')
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return float(np.median([line['time'] for line in lines if 'time' in line][2:]))


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Train in turn with one and with two processes."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cfg = Config.fromfile(args.config)
        # As many clips for each process, whichever their number.
        use_videos(cfg, folder, make_videos(args.cache, 2), 2 * args.batch_size * args.steps)
        cfg.train_dataloader.update(batch_size=args.batch_size, num_workers=0)
        cfg.train_cfg = dict(type='StepsTrainLoop', max_iters=args.steps, max_epochs=1)
        cfg.default_hooks.logger.interval = 1
        cfg.log_processor.window_size = 1
        cfg.default_hooks.checkpoint = None
        cfg.dump(folder / 'config.py')
        for number in range(args.rounds):
            for processes, found in seconds.items():
                found.append(
                    train(folder / 'config.py', processes, folder / f'{processes}_{number}')
                )
    ratios = np.divide(seconds[1], seconds[2])
    print(
        f'{Path(args.config).name}, batches of {args.batch_size} in each process: '
        f'{np.median(seconds[1]):.3f} s with one, {np.median(seconds[2]):.3f} s with two; per core '
        f'{np.median(ratios):.2f} ({ratios.min():.2f}..{ratios.max():.2f}), target >= {TARGET}'
    )
    return [dict(config=args.config, seconds=seconds, per_core=ratios.tolist(), target=TARGET)]
