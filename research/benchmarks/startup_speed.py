"""A program up to its first training step, and ``--help`` of all tools.

``tools/train.py`` of a pre-training config is compared with mmengine's runner of an mmaction2
config with the same backbone and the same videos in a VideoDataset, both without data workers,
until the first step begins with a loaded batch. Each run is a new process; the operating system has
the files in memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from interleave import compare
from made_data import make_videos, use_videos
from mmengine.config import Config
from step_speed import supervised_config

from mmact_ssl.engine.config_reading import read_config

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
METHODS = {
    'csvr': 'csvr_r3d18-small.py',
    'hcpg': 'hcpg_r3d18-small.py',
    'dtg': 'dtg_r3d18-small.py',
}
TARGET = 1.1
HOOK = """
import os
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class StopAtFirstStep(Hook):
    priority = 'VERY_HIGH'

    def before_train_iter(self, *args, **kwargs):
        os._exit(0)
"""
MMACTION2 = (
    'import sys, mmact_ssl; from mmengine.config import Config; from mmengine.runner import Runner;'
    'Runner.from_cfg(Config.fromfile(sys.argv[1])).train()'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--methods', nargs='*', choices=list(METHODS), default=['csvr', 'dtg'])
    parser.add_argument('--runs', type=int, default=5, help='of each program')
    parser.add_argument('--batch-size', type=int, default=4)


def mmaction2_config(cfg: Config, folder: Path) -> Config:
    """Supervised training of the same backbone on the same videos, in mmaction2's parts."""
    pipeline = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=8, frame_interval=2),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 80)),
        dict(type='RandomResizedCrop', area_range=(0.4, 1.0)),
        dict(type='Resize', scale=(64, 64), keep_ratio=False),
        dict(type='Flip', flip_ratio=0.5),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    supervised = supervised_config(cfg, folder / 'mmaction2')
    supervised.log_level = 'INFO'
    supervised.train_dataloader = dict(
        batch_size=cfg.train_dataloader.batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(
            type='VideoDataset',
            ann_file=str(folder / 'train.txt'),
            data_prefix=dict(video=str(folder)),
            pipeline=pipeline,
        ),
    )
    return supervised


def program(words: list[str], folder: Path = TOOLS) -> Callable[[int], None]:
    """A function that runs a program in each round, which must succeed."""
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get('PYTHONPATH')])])
    environment = {**os.environ, 'PYTHONPATH': paths}

    def run(number: int) -> None:
        subprocess.run([sys.executable, *words], env=environment, check=True, capture_output=True)

    return run


def compare_training(method: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Compare our program with mmaction2's until the first step begins."""
    cfg = read_config(str(TOOLS.parent / 'configs' / METHODS[method]))
    use_videos(cfg, folder, make_videos(args.cache, 2), args.batch_size)
    cfg.train_dataloader.update(batch_size=args.batch_size, num_workers=0)
    (folder / 'first_step.py').write_text(HOOK)
    ways = {}
    for name, own in {method: cfg, 'mmaction2': mmaction2_config(cfg, folder)}.items():
        imports = own.get('custom_imports', {}).get('imports', [])
        own.custom_imports = dict(imports=[*imports, 'first_step'])
        own.custom_hooks = [dict(type='mmengine.StopAtFirstStep')]
        file = str(folder / f'{name}.py')
        own.dump(file)
        train = [str(TOOLS / 'train.py'), file, '--work-dir', str(folder / method)]
        ways[name] = partial(
            program, ['-c', MMACTION2, file] if name == 'mmaction2' else train, folder
        )
    title = f'{METHODS[method]} until its first step'
    return compare(title, ways, 'mmaction2', args.runs, target=TARGET, programs=True)


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the start of training, and measure ``--help`` of all tools."""
    figures = []
    for method in args.methods:
        with tempfile.TemporaryDirectory() as name:
            figures.append(compare_training(method, args, Path(name)))
    files = sorted(TOOLS.glob('*.py'))
    tools = {path.stem: partial(program, [str(path), '--help']) for path in files}
    return [*figures, compare('--help', tools, rounds=args.runs, programs=True)]
