"""The two ways that the benchmark of teachers compares train the same heads on the same targets."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import MODELS

CONFIG = Path(__file__).parents[3] / 'configs' / 'dtg_r3d18-small.py'


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
    cached = read_config(str(CONFIG))
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
