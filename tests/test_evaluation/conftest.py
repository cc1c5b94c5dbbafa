"""A labelled world of tiny made videos, and the downstream configs pointed at it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
NUM_CLASSES = 3
TRAIN_PER_CLASS, TEST_PER_CLASS = 4, 2


def write_video(path: Path, label: int, number: int, frames: int = 20) -> None:
    """Write a bright square whose colour tells the class; its place is random."""
    generator = np.random.default_rng([label, number])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (80, 64))
    y, x = generator.integers(0, 32, size=2)
    for step in range(frames):
        frame = np.full((64, 80, 3), 30, dtype=np.uint8)
        frame[y : y + 24, (x + step) % 56 : (x + step) % 56 + 24, label] = 250
        writer.write(frame)
    writer.release()


@pytest.fixture(scope='session')
def labelled_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``videos``, ``train.txt`` (4 a class) and ``test.txt`` (2 a class)."""
    root = tmp_path_factory.mktemp('labelled')
    (root / 'videos').mkdir()
    lines: dict[str, list[str]] = {'train': [], 'test': []}
    for label in range(NUM_CLASSES):
        for number in range(TRAIN_PER_CLASS + TEST_PER_CLASS):
            name = f'videos/class{label}_s{number % 2}_{number}.mp4'
            write_video(root / name, label, number)
            split = 'train' if number < TRAIN_PER_CLASS else 'test'
            lines[split].append(f'{name} {label}\n')
    for split, content in lines.items():
        (root / f'{split}.txt').write_text(''.join(content))
    return root


def point_at(cfg: Config, root: Path) -> Config:
    """Point a small downstream config at the made world and make it cheap."""
    cfg.model.cls_head.num_classes = NUM_CLASSES
    cfg.model.backbone.base_channels = 8
    cfg.model.cls_head.in_channels = 64
    cfg.dataset_name, cfg.synthetic = 'made', True
    for split in ('train', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.batch_size = 4
        loader.dataset.ann_file = str(root / f'{split}.txt')
        loader.dataset.data_prefix = dict(video=str(root))
    return cfg


@pytest.fixture
def linear_config(labelled_world: Path) -> Config:
    return point_at(
        Config.fromfile(ROOT / 'configs/downstream/linear_r3d_jhmdb.py'), labelled_world
    )


@pytest.fixture
def finetune_config(labelled_world: Path) -> Config:
    cfg = point_at(
        Config.fromfile(ROOT / 'configs/downstream/finetune_r3d_jhmdb.py'), labelled_world
    )
    cfg.train_cfg.max_epochs = 2
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.5, begin=0, end=1)]
    cfg.finetune.min_iters_per_epoch = 2
    return cfg


@pytest.fixture
def student_checkpoint(linear_config: Config, tmp_path: Path) -> Path:
    """A file as a pre-trainer leaves it: the student under ``backbone.`` and a pretext head."""
    from mmact_ssl.evaluation.student import build_recognizer

    backbone = build_recognizer(linear_config, seed=7).backbone
    state = {f'backbone.{key}': value for key, value in backbone.state_dict().items()}
    state['heads.pose.weight'] = torch.zeros(3)
    path = tmp_path / 'student.pth'
    torch.save(dict(state_dict=state, meta={}), path)
    return path
