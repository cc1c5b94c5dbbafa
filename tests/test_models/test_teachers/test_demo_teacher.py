"""The shipped pose teacher of the demo world, and the config that trains it."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.targets.extraction import ExtractionJob, extract_many, read_annotations
from tests.pose_file import read_poses
from tools.demo_world.write import write_demo_world

CONFIG = 'configs/teachers/demo_pose_teacher.py'


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """A world of another seed: other people, clothes and backgrounds than in training."""
    path = tmp_path_factory.mktemp('world') / 'demo'
    write_demo_world(path, seed=7, size='tiny', workers=1)
    return path


@pytest.fixture(scope='module')
def found_and_truth(world):
    """The teacher's poses of the test videos through a cache, and the true ones, ``(T, V, 3)``."""
    names = read_annotations([world / 'test.txt'])
    job = ExtractionJob(build_teacher(CONFIG), world / 'p.lmdb')
    extract_many([job], world, names)
    poses = read_poses(world / 'poses.npz')[1]
    truth = {name: pose for name, pose in poses.items() if name in names}
    reader = TargetReader(world / 'p.lmdb')
    return np.concatenate([reader.get(n) for n in truth]), np.concatenate(list(truth.values()))


def pck(found, truth, threshold=0.1):
    """Share of known joints within ``threshold`` of the person's larger side (PCK, MPII)."""
    known = truth[..., 2] > 0
    points = np.where(known[..., None], truth[..., :2], np.nan)
    size = np.nanmax(np.nanmax(points, 1) - np.nanmin(points, 1), -1)
    error = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1)
    return (error < threshold * size[:, None])[known].mean()


def test_it_finds_the_joints_of_unseen_people(found_and_truth):
    found, truth = found_and_truth
    known = (truth[..., 2:] > 0).astype(np.float32)
    mean_pose = (truth[..., :2] * known).sum(0) / known.sum(0)
    baseline = pck(np.broadcast_to(mean_pose, truth[..., :2].shape), truth)
    assert pck(found, truth) > 0.9
    assert baseline < 0.7
    assert pck(found, truth, 0.05) > 0.6


def test_its_training_config_runs(world, tmp_path):
    config = Config.fromfile('configs/teachers/demo_pose.py')
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = str(world)
        loader.update(num_workers=0, persistent_workers=False)
    config.update(work_dir=str(tmp_path))
    config.train_cfg.update(max_epochs=1, val_interval=1)
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 1  # 60 frames, 32 at once
    assert 0 <= runner.message_hub.get_scalar('val/PCK').current() <= 1
