"""The real training program, run on data made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.five_methods import options_of
from tests.helpers.processes import Process


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
            *options_of('csvr', batch_size),
            f'train_cfg.max_epochs={epochs}',
            f'train_dataloader.num_workers={workers}',
            f'train_dataloader.persistent_workers={workers > 0}',
            'default_hooks.checkpoint.interval=1',
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
def training_run(made_data: Path, tmp_path: Path):
    """Make training runs in work dirs of their own."""
    return lambda name: TrainingRun(made_data, tmp_path / name)
