"""The teachers of the demo world, of poses and of parts, and the configs that train them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmact_ssl.datasets.layouts import PART_LAYOUTS
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.extraction import ExtractionJob, extract_many, read_annotations
from tests.helpers.videos import read_poses
from tools.demo_world.render import LIP_LABELS
from tools.demo_world.write import write_demo_world

CONFIGS = Path('configs/teachers')
PARSING = Path('tools/demo_world/demo_parsing.py')


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """A world of another seed: other people, clothes and backgrounds than in training."""
    path = tmp_path_factory.mktemp('world') / 'demo'
    write_demo_world(path, seed=7, size='tiny', workers=1)
    return path


def pck(found, truth, threshold=0.1):
    """Share of known joints within ``threshold`` of the person's larger side (PCK, MPII)."""
    known = truth[..., 2] > 0
    points = np.where(known[..., None], truth[..., :2], np.nan)
    size = np.nanmax(np.nanmax(points, 1) - np.nanmin(points, 1), -1)
    error = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1)
    return (error < threshold * size[:, None])[known].mean()


def test_it_finds_the_joints_of_unseen_people(world):
    """The shipped teacher's poses of the test videos through a cache, beside the true ones."""
    names = read_annotations([world / 'test.txt'])
    job = ExtractionJob(build_teacher(CONFIGS / 'demo_pose_teacher.py'), world / 'p.lmdb')
    extract_many([job], world, names)
    poses = {k: pose for k, pose in read_poses(world / 'poses.npz')[1].items() if k in names}
    reader = TargetReader(world / 'p.lmdb')
    found, truth = np.concatenate([reader.get(n) for n in poses]), np.concatenate([*poses.values()])
    known = (truth[..., 2:] > 0).astype(np.float32)
    mean_pose = (truth[..., :2] * known).sum(0) / known.sum(0)
    baseline = pck(np.broadcast_to(mean_pose, truth[..., :2].shape), truth)
    assert pck(found, truth) > 0.9
    assert baseline < 0.7
    assert pck(found, truth, 0.05) > 0.6


def train(path: Path, world: Path, work_dir: Path) -> Runner:
    """Train one epoch on a tiny world."""
    config = Config.fromfile(path)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = str(world)
        loader.update(num_workers=0, persistent_workers=False)
    config.update(work_dir=str(work_dir))
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.default_hooks.checkpoint.interval = 1
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 1  # 60 frames, 32 at once
    return runner


def test_the_config_of_poses_trains(world, tmp_path):
    runner = train(CONFIGS / 'demo_pose.py', world, tmp_path)
    assert 0 <= runner.message_hub.get_scalar('val/PCK').current() <= 1


def test_left_and_right_labels_swap_in_a_mirror():
    flip = next(t for t in Config.fromfile(PARSING).train_pipeline if t['type'] == 'RandomFlip')
    pairs = {tuple(sorted(pair)) for pair in flip['swap_seg_labels']}
    indices = PART_LAYOUTS['lip'].flip_indices
    assert pairs == {(i, int(j)) for i, j in enumerate(indices) if i < j}


def test_the_trained_parser_is_a_teacher_of_the_demo_parts(world, tmp_path):
    runner = train(PARSING, world, tmp_path)
    batch = next(iter(runner.train_dataloader))
    labels = {int(v) for s in batch['data_samples'] for v in s.gt_sem_seg.data.unique()}
    assert labels <= {*LIP_LABELS.values(), 255} and len(labels) > 8
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100
    settings = Config.fromfile(PARSING.with_name('demo_parsing_teacher.py')).teacher
    teacher = build_teacher({**settings, 'checkpoint': str(tmp_path / 'epoch_1.pth')})
    assert teacher.layout == 'demo_parts'
    maps = teacher(torch.randint(0, 255, (3, 3, 112, 112), dtype=torch.uint8))
    assert maps.shape == (3, len(PART_LAYOUTS['demo_parts'].names), 28, 28)
    assert maps.min() >= 0 and maps.sum(1).max() <= 1 + 1e-5
