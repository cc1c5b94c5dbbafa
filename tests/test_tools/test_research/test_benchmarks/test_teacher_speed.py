"""The two ways that the benchmark of teachers compares train the same heads on the same targets."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import DATASETS, MODELS

CONFIG = Path(__file__).parents[4] / 'configs' / 'dtg_r3d_jhmdb.py'


@pytest.fixture
def online_config(tool):
    return importlib.import_module('teacher_speed').online_config


class Constant(BaseTeacher):
    """Teacher that answers the same of every frame."""

    kind = 'embedding'

    def __init__(self, channels: int) -> None:
        super().__init__({}, {})
        self.channels = channels

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(frames), self.channels)


TEACHERS = dict(imagenet=dict(type=Constant, channels=1280), pose=dict(type=Constant, channels=51))


def test_the_caches_give_way_to_teachers_of_the_same_targets(online_config):
    init_default_scope('mmact_ssl')
    cached = Config.fromfile(CONFIG)
    online = online_config(cached, TEACHERS)
    kinds = [step.type for step in online.train_dataloader.dataset.pipeline]
    assert 'LoadTargets' not in kinds
    before = [step.type for step in cached.train_dataloader.dataset.pipeline]
    assert [kind for kind in before if kind != 'LoadTargets'] == kinds
    assert online.model.data_preprocessor.targets == ['clip.valid', 'clip_b.valid']
    model = MODELS.build(online.model)
    heads = MODELS.build(cached.model).heads
    assert {task: head.inputs for task, head in model.heads.items()} == {
        task: head.inputs for task, head in heads.items()
    }
    frames = torch.zeros(2, 3, 8, 64, 64)
    inputs = dict(clip=frames, clip_b=frames)
    valid = torch.ones(2, 8, dtype=torch.bool)
    found = model.head_inputs(inputs, dict(clip=dict(valid=valid), clip_b=dict(valid=valid)))
    assert found['targets.clip.imagenet'].shape == (2, 8, 1280)
    assert found['targets.clip_b.pose'].shape == (2, 8, 51)


def test_constants_in_place_of_caches_have_their_shapes(tool, tmp_path):
    init_default_scope('mmact_ssl')
    teacher_speed, made_data = map(importlib.import_module, ('teacher_speed', 'made_data'))
    cfg = Config.fromfile(CONFIG)
    made_data.make_video(tmp_path / 'video.mp4', 96, 64, 80, seed=0)
    made_data.use_videos(cfg, tmp_path / 'set', [tmp_path / 'video.mp4'], 1)
    data_set = DATASETS.build(cfg.train_dataloader.dataset)
    data_set.set_progress(0, 0)
    cached = data_set[0]
    teacher_speed.leave_out_caches(data_set)
    without = data_set[0]
    for view, named in cached['targets'].items():
        for name, value in named.items():
            assert without['targets'][view][name].shape == value.shape
            assert without['targets'][view][name].dtype == value.dtype
    constant = without['targets']['clip']['imagenet']
    assert constant.eq(0.5).all() and not cached['targets']['clip']['imagenet'].eq(0.5).any()


@pytest.mark.parametrize('names', [('imagenet',), ('imagenet', 'pose', 'sound')])
def test_each_target_needs_its_teacher(online_config, names):
    teachers = {name: dict(type=Constant, channels=3) for name in names}
    with pytest.raises(ConfigError, match=r"\['imagenet', 'pose'\]"):
        online_config(Config.fromfile(CONFIG), teachers)
