"""A tiny data set made on the spot, and the real training program run on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.helpers.processes import Process

ROOT = Path(__file__).parents[2]
VIDEOS, FRAMES, SIZE = 8, 24, 48


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory: pytest.TempPathFactory, make_video) -> Path:
    """$MMACT_SSL_DATA with a set ``demo``: 8 videos of 24 frames, lists, and a pose cache."""
    root = tmp_path_factory.mktemp('data')
    (root / 'demo' / 'videos').mkdir(parents=True)
    meta = TargetMeta(kind='pose', layout='coco17', fingerprint='made for tests', source='tests')
    lines = []
    with TargetWriter(root / 'demo' / 'targets' / 'pose.lmdb', meta) as writer:
        for index in range(VIDEOS):
            name = f'videos/{index}.mp4'
            make_video(root / 'demo' / name, FRAMES, SIZE, SIZE, gop=8, bframes=0)
            poses = np.random.default_rng(index).uniform(0.1, 0.9, (FRAMES, 17, 3))
            writer.put(name, poses.astype(np.float32))
            lines.append(f'{name} {index % 2}\n')
    for split in ('train', 'test'):
        (root / 'demo' / f'{split}.txt').write_text(''.join(lines))
    return root


class TrainingRun:
    """tools/train.py on configs/csvr_r3d_demo.py, cut down to seconds by its own options."""

    def __init__(self, data: Path, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.environment = {'MMACT_SSL_DATA': str(data), 'OMP_NUM_THREADS': '1'}

    def options(self, epochs: int, batch_size: int = 2, workers: int = 1) -> list[str]:
        """Command-line options of a run of ``epochs`` epochs."""
        return [
            f'--work-dir={self.work_dir}',
            '--cfg-options',
            f'train_cfg.max_epochs={epochs}',
            f'train_dataloader.batch_size={batch_size}',
            f'train_dataloader.num_workers={workers}',
            f'train_dataloader.persistent_workers={workers > 0}',
            'model.backbone.base_channels=4',
            'model.adapters.dynamic.in_channels=32',
            'model.adapters.static.in_channels=8',
            'model.heads.context.frame_encoder.base_channels=4',
            'model.heads.context.frame_encoder.stem_channels=4',
            'model.heads.context.frame_channels=32',
            'default_hooks.logger.interval=1',
            'default_hooks.checkpoint.interval=1',
            'log_processor.window_size=1',
            'test_dataloader.batch_size=2',
            'test_dataloader.num_workers=0',
        ]

    def train(self, *arguments: str) -> None:
        """Train to the end."""
        Process.program('tools/train.py', *arguments, **self.environment).wait()

    def losses(self) -> dict[tuple[int, int], dict[str, float]]:
        """Losses by (epoch, iteration of the run)."""
        logged = {}
        for path in self.work_dir.glob('*/vis_data/scalars.json'):
            for line in path.read_text().splitlines():
                if '"loss"' in line:
                    values = json.loads(line)
                    losses = {key: value for key, value in values.items() if 'loss' in key}
                    logged[values['epoch'], values['step']] = losses
        return logged


@pytest.fixture
def training_run(tiny_data: Path, tmp_path: Path):
    """Make training runs in work dirs of their own."""
    return lambda name: TrainingRun(tiny_data, tmp_path / name)
