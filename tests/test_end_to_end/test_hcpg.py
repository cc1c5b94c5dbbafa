"""HCPG's own pipeline on made videos and part maps, and what is drawn of them."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.engine.launch import read_config
from mmact_ssl.registry import MODELS
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tools import visualize

ROOT = Path(__file__).parents[2]
# Frames of each of HCPG's videos: 9 are padded at the higher speeds; in the third nobody is found.
HCPG_VIDEOS = {'a.mp4': 40, 'b.mp4': 9, 'c.mp4': 30, 'd.mp4': 35, 'e.mp4': 31, 'f.mp4': 33}


@pytest.fixture
def hcpg_config(tmp_path: Path, make_video, monkeypatch) -> Config:
    """configs/hcpg_r3d18-small.py cut down, on six videos and their part maps."""
    root = tmp_path / 'jhmdb'
    root.mkdir()
    meta = TargetMeta(kind='map', layout='pose_parts', fingerprint='made for tests', source='tests')
    with TargetWriter(root / 'targets' / 'pose_parts.lmdb', meta) as writer:
        for name, frames in HCPG_VIDEOS.items():
            make_video(root / name, num_frames=frames, width=96, height=80)
            maps = np.zeros((frames, 11, 16, 16), np.float32)
            if name != 'c.mp4':  # a head above a torso
                maps[:, 1, 2:6, 4:11] = maps[:, 2, 6:14, 4:11] = 1
            maps[:, 0] = 1 - maps.sum(1)
            writer.put(name, maps)
    for split in ('train', 'test'):
        (root / f'{split}.txt').write_text(''.join(f'{name} 0\n' for name in HCPG_VIDEOS))
    monkeypatch.setenv('MMACT_SSL_DATA', str(tmp_path))
    config = read_config(str(ROOT / 'configs/hcpg_r3d18-small.py'), dataset='jhmdb')
    config.merge_from_dict(
        {
            'model.backbone.base_channels': 4,
            'test_dataloader.batch_size': 3,
            'test_dataloader.num_workers': 0,
        }
    )
    for adapter in config.model.adapters.values():
        adapter.in_channels = 32
    return config


def test_part_maps_of_unseen_clips_are_drawn_and_judged(hcpg_config: Config, tmp_path, capsys):
    init_default_scope('mmact_ssl')
    hcpg_config.dump(tmp_path / 'config.py')
    model = MODELS.build(hcpg_config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch.pth')
    arguments = [str(tmp_path / 'config.py'), str(tmp_path / 'epoch.pth')]
    visualize.main([*arguments, '--out', str(tmp_path / 'pictures')])
    said, path = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r"mean IoU with the teacher's parts: 0\.\d\d", said)
    assert path == str(tmp_path / 'pictures' / 'parts.png')
    picture = cv2.imread(path)
    # Two rows a clip, four columns.
    assert picture.shape[0] > picture.shape[1] > 300 and picture.std() > 10
