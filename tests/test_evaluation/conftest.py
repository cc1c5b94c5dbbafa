"""A labeled world of tiny made videos, and the downstream configs pointed at it."""

from __future__ import annotations

import json
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
    """Write a bright square whose color tells the class; its place is random."""
    generator = np.random.default_rng([label, number])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (80, 64))
    y, x = generator.integers(0, 32, size=2)
    for step in range(frames):
        frame = np.full((64, 80, 3), 30, dtype=np.uint8)
        frame[y : y + 24, (x + step) % 56 : (x + step) % 56 + 24, label] = 250
        writer.write(frame)
    writer.release()


@pytest.fixture(scope='session')
def labeled_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``videos``, ``train.txt`` (4 a class) and ``test.txt`` (2 a class)."""
    root = tmp_path_factory.mktemp('labeled')
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
def linear_config(labeled_world: Path) -> Config:
    return point_at(Config.fromfile(ROOT / 'configs/downstream/linear_r3d_jhmdb.py'), labeled_world)


@pytest.fixture
def finetune_config(labeled_world: Path) -> Config:
    cfg = point_at(
        Config.fromfile(ROOT / 'configs/downstream/finetune_r3d_jhmdb.py'), labeled_world
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


@pytest.fixture
def skeleton_folder(tmp_path: Path) -> Path:
    """A prepared folder: 3 actions told apart by the axis of motion, 4 clips each for training
    (views 1 and 2) and 2 for testing (view 3), of 5 to 12 frames.
    """
    root = tmp_path / 'skeletons'
    root.mkdir()
    generator = np.random.default_rng(0)
    clips: list[np.ndarray] = []
    lines: dict[str, list[str]] = {'train': [], 'test': []}
    for label in range(NUM_CLASSES):
        for view, number in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)]:
            clip = generator.normal(size=(int(generator.integers(5, 13)), 1, 20, 3))
            clip[..., label] += 3 * np.sin(np.arange(len(clip)))[:, None, None]
            clips.append(clip.astype(np.float32))
            lines['test' if view == 3 else 'train'].append(f'a{label:02d}_v{view}_{number} {label}')
    written = [line.split() for label in range(NUM_CLASSES) for line in _of_class(lines, label)]
    np.save(root / 'skeletons.npy', np.concatenate(clips))
    np.savez(
        root / 'clips.npz',
        names=np.array([name for name, _ in written]),
        labels=np.array([int(label) for _, label in written]),
        lengths=np.array([len(clip) for clip in clips]),
        persons=np.ones(len(clips), dtype=np.int64),
    )
    meta = dict(format=1, dataset='made', layout='kinect20', unit='meters', classes=NUM_CLASSES)
    (root / 'meta.json').write_text(json.dumps({**meta, 'sha256': 'of the coordinates'}))
    (root / 'classes.txt').write_text('carry\nsit down\nwave\n')
    for split, content in lines.items():
        (root / f'xview_{split}.txt').write_text('\n'.join(content) + '\n')
    return root


def _of_class(lines: dict[str, list[str]], label: int) -> list[str]:
    return [line for split in lines.values() for line in split if line.endswith(f' {label}')]


@pytest.fixture
def skeleton_config(skeleton_folder: Path, tmp_path: Path) -> Config:
    """Downstream config of a small GRU on these skeletons, with a training schedule."""

    def loader(split: str) -> dict:
        return dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
            dataset=dict(
                type='mmact_ssl.SkeletonDataset',
                ann_file=str(skeleton_folder / f'xview_{split}.txt'),
                data_prefix=dict(skeleton=str(skeleton_folder)),
                test_mode=split == 'test',
                pipeline=[
                    dict(type='mmaction.FormatGCNInput', num_person=1),
                    dict(type='mmaction.PackActionInputs'),
                ],
            ),
        )

    encoder = dict(type='mmact_ssl.SkeletonGRU', layout='kinect20', hidden_size=8, pool='mean')
    cfg = dict(
        default_scope='mmaction',
        dataset_name='made',
        backbone_name='gru',
        synthetic=True,
        feature_pooling=dict(type='mmact_ssl.SkeletonPooling', mode='mean'),
        model=dict(
            type='mmaction.RecognizerGCN',
            backbone=encoder,
            cls_head=dict(type='mmaction.GCNHead', num_classes=NUM_CLASSES, in_channels=16),
            data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
        ),
        train_dataloader=loader('train'),
        test_dataloader=loader('test'),
        test_evaluator=dict(type='mmaction.AccMetric'),
        test_cfg=dict(type='TestLoop'),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-3)),
        param_scheduler=None,
        linear=dict(penalties=(0.1,), folds=2),
        knn=dict(k=(3,), main_k=3),
        finetune=dict(min_iters_per_epoch=0),
    )
    Config(cfg).dump(tmp_path / 'skeleton.py')
    return Config.fromfile(tmp_path / 'skeleton.py')
