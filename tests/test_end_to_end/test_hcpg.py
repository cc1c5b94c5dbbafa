"""HCPG's own pipeline on made videos and part maps, trained, resumed, tested and drawn."""

from __future__ import annotations

import re

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmact_ssl.registry import DATASETS, MODELS
from tools import visualize


def test_the_pipeline_gives_what_the_heads_read(hcpg_config: Config):
    init_default_scope('mmact_ssl')
    dataset = DATASETS.build(hcpg_config.train_dataloader.dataset)
    np.random.seed(0)
    batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
    model = MODELS.build(hcpg_config.model)
    for follower, source in model.momentum_pairs():
        follower.start(source)
    data = model.data_preprocessor(batch, training=True)
    targets = data['targets']
    assert targets['clip']['parts'].shape == (6, 8, 11, 16, 16)
    assert len(targets['sample']['video'].unique()) == 6
    assert (targets['clip']['speed'] != targets['clip_b']['speed']).all()
    # Of nine frames eight fit at the first speed only.
    for view in ('clip', 'clip_b'):
        assert targets[view]['valid'][1].all() == (targets[view]['speed'][1] == 1)
    assert not targets['clip']['parts'][2, :, 1:].any() and targets['clip']['parts'][0, :, 1:].any()
    losses = model(**data, mode='loss')
    expected = targets['clip']['valid'].float()
    expected[2] = 0
    torch.testing.assert_close(losses['parsing/valid_fraction'], expected.mean())
    assert losses['loss'].isfinite()
    assert model.heads['motion'].queue.filled.all()


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
