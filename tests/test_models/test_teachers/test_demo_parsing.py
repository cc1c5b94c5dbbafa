"""The config that trains the demo world's parser, and the teacher that it becomes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.models.teachers import build_teacher
from tools.demo_world.render import LIP_LABELS
from tools.demo_world.write import write_demo_world

TRAINING, TEACHER = (
    Path('configs/teachers') / name for name in ('demo_parsing.py', 'demo_parsing_teacher.py')
)


def test_left_and_right_labels_swap_in_a_mirror():
    flip = next(t for t in Config.fromfile(TRAINING).train_pipeline if t['type'] == 'RandomFlip')
    pairs = {tuple(sorted(pair)) for pair in flip['swap_seg_labels']}
    indices = PART_LAYOUTS['lip'].flip_indices
    assert pairs == {(i, int(j)) for i, j in enumerate(indices) if i < j}


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    """The checkpoint of one step on a tiny world."""
    folder = tmp_path_factory.mktemp('parsing')
    write_demo_world(folder / 'demo', size='tiny', workers=1)
    config = Config.fromfile(TRAINING)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = str(folder / 'demo')
        loader.update(num_workers=0, persistent_workers=False)
    config.update(work_dir=str(folder))
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.default_hooks.checkpoint.interval = 1
    runner = Runner.from_cfg(config)
    batch = next(iter(runner.train_dataloader))
    labels = {int(v) for s in batch['data_samples'] for v in s.gt_sem_seg.data.unique()}
    assert labels <= {*LIP_LABELS.values(), 255} and len(labels) > 8
    runner.train()
    assert runner.iter == 1  # 60 frames, 32 at once
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100
    return folder / 'epoch_1.pth'


def test_the_trained_parser_is_a_teacher_of_the_demo_parts(trained: Path):
    settings = {**Config.fromfile(TEACHER).teacher, 'checkpoint': str(trained)}
    teacher = build_teacher(settings)
    assert teacher.layout == 'demo_parts'
    frames = torch.from_numpy(
        np.random.default_rng(0).integers(0, 255, (3, 3, 112, 112), dtype=np.uint8)
    )
    maps = teacher(frames)
    assert maps.shape == (3, len(PART_LAYOUTS['demo_parts'].names), 28, 28)
    assert maps.min() >= 0 and maps.sum(1).max() <= 1 + 1e-5
