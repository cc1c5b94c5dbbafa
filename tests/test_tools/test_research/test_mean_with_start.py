"""The mean of a student's weights with those of its start."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.registry import MODELS
from tests.shipped import load
from tools.research.mean_with_start import main, mean_with_start


@pytest.fixture
def student(tmp_path):
    """A checkpoint whose weights are those of the start plus two, and a head."""
    cfg = load('dtg_tsm-lite0_videos.py')
    start = MODELS.build(cfg.model.backbone).state_dict()
    moved = {
        f'backbone.{name}': value + 2 if value.is_floating_point() else value
        for name, value in start.items()
    }
    path = tmp_path / 'epoch_2.pth'
    head = torch.ones(3)
    content = dict(state_dict={**moved, 'heads.a': head}, meta=dict(epoch=2), optimizer={})
    torch.save(content, path)
    return cfg, start, str(path)


def test_the_mean_lies_between_both(student):
    cfg, start, path = student
    mean = mean_with_start(cfg, path, 0.25)
    assert mean['meta'] == dict(epoch=2) and mean['state_dict'].keys() >= {'heads.a'}
    assert 'optimizer' not in mean
    for name, value in start.items():
        expected = value + 0.5 if value.is_floating_point() else value
        torch.testing.assert_close(mean['state_dict'][f'backbone.{name}'], expected)


def test_what_cannot_be_averaged_is_refused(student, tmp_path):
    cfg, _, path = student
    with pytest.raises(ConfigError, match='--share 2: give 0 to 1'):
        mean_with_start(cfg, path, 2)
    with pytest.raises(ConfigError, match='has no checkpoint to average with'):
        mean_with_start(load('dtg_r3d_jhmdb.py'), path, 0.5)
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'backbone.a': torch.ones(1)}, meta={}), other)
    with pytest.raises(CheckpointError, match='does not hold the backbone of'):
        mean_with_start(cfg, str(other), 0.5)
    with pytest.raises(SystemExit):
        main(['configs/none.py', path, str(tmp_path / 'out.pth')])
