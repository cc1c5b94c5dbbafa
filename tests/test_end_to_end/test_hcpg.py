"""HCPG's own pipeline on made videos and part maps, trained, killed and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmact_ssl  # noqa: F401  the mends
from mmact_ssl.datasets.targets import TargetMeta, TargetWriter
from mmact_ssl.registry import DATASETS, MODELS

CONFIG = Path(__file__).parents[2] / 'configs' / 'hcpg_r3d_jhmdb.py'
# Frames of each video: 9 are padded at the higher speeds; in the third one nobody is found.
LENGTHS = {'a.mp4': 40, 'b.mp4': 9, 'c.mp4': 30, 'd.mp4': 35, 'e.mp4': 31, 'f.mp4': 33}


@pytest.fixture
def config(tmp_path: Path, make_video, monkeypatch) -> Config:
    """The config cut down, with a queue, on six videos."""
    root = tmp_path / 'jhmdb'
    root.mkdir()
    meta = TargetMeta(kind='map', layout='person', fingerprint='made for tests', source='tests')
    with TargetWriter(root / 'targets' / 'selfie_segmentation.lmdb', meta) as writer:
        for name, frames in LENGTHS.items():
            make_video(root / name, num_frames=frames, width=96, height=80)
            maps = np.zeros((frames, 1, 16, 16), np.float32)
            if name != 'c.mp4':
                maps[:, :, 2:14, 4:11] = 1
            writer.put(name, maps)
    for split in ('train', 'test'):
        (root / f'{split}.txt').write_text(''.join(f'{name} 0\n' for name in LENGTHS))
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(
        {
            'model.backbone.base_channels': 4,
            'model.encode': ['clip'],
            'model.momentum_encoder': {'views': ['other'], 'momentum': 0.9},
            'model.heads.appearance.queue_size': 5,
            'model.heads.motion.queue_size': 5,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_cfg.max_epochs': 2,
            'default_hooks.checkpoint.interval': 1,
        }
    )
    for adapter in config.model.adapters.values():
        adapter.in_channels = 32
    for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        config.pop(key)
    return config


def test_the_pipeline_gives_what_the_heads_read(config: Config):
    init_default_scope('mmact_ssl')
    dataset = DATASETS.build(config.train_dataloader.dataset)
    np.random.seed(0)
    batch = pseudo_collate([dataset[index] for index in range(len(LENGTHS))])
    model = MODELS.build(config.model)
    for follower, source in model.momentum_pairs():
        follower.start(source)
    data = model.data_preprocessor(batch, training=True)
    targets = data['targets']
    assert targets['clip_parts'].shape == (6, 8, 1, 16, 16)
    assert len(targets['video'].unique()) == 6
    assert (targets['clip_speed'] != targets['other_speed']).all()
    # Of nine frames eight fit at the first speed only.
    for view in ('clip', 'other'):
        assert targets[f'{view}_valid'][1].all() == (targets[f'{view}_speed'][1] == 1)
    assert not targets['clip_parts'][2].any() and targets['clip_parts'][0].any()
    losses = model(**data, mode='loss')
    expected = targets['clip_valid'].float()
    expected[2] = 0
    torch.testing.assert_close(losses['parsing/counted'], expected.mean())
    assert losses['loss'].isfinite()
    assert model.heads['motion'].queue.filled.all()


def run(config: Config, work_dir: Path, **changes) -> Runner:
    config = config.copy()
    config.merge_from_dict({'work_dir': str(work_dir), 'experiment_name': str(work_dir), **changes})
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


@pytest.mark.slow
def test_a_resumed_run_has_the_same_queue_copies_and_weights(config: Config, tmp_path: Path):
    whole = run(config, tmp_path / 'whole')
    checkpoint = tmp_path / 'whole' / 'epoch_1.pth'
    resumed = run(config, tmp_path / 'resumed', resume=True, load_from=str(checkpoint))
    assert resumed.iter == whole.iter == 6
    state = resumed.model.state_dict()
    assert {name.split('.')[0] for name in state} >= {'backbone', 'momentum_encoder', 'heads'}
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, state[name]), name
    # The queue holds the five latest of the last epoch's six videos, each once.
    queue = state['heads.appearance.queue.labels'][:, 0]
    assert len(queue.unique()) == 5
