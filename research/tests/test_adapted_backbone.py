"""The student with its adapters downstream: the same maps as in pre-training, whole checkpoints."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.registry import MODELS
from research.parts.adapted_backbone import write_adapted
from tests.shipped import load

OURS = 'research/configs/encoders'
TASKS = ('appearance', 'motion', 'parsing')


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """A small pre-trainer and its checkpoint."""
    config = load('hcpg_r3d18-small.py@jhmdb')
    config.model.backbone.base_channels = 4
    for adapter in config.model.adapters.values():
        adapter.in_channels = 32
    torch.manual_seed(0)
    model = MODELS.build({**copy.deepcopy(config.model), '_scope_': 'mmact_ssl'}).eval()
    path = tmp_path_factory.mktemp('pretrained') / 'epoch_1.pth'
    torch.save({'meta': {'epoch': 1}, 'state_dict': model.state_dict()}, path)
    return model, path


@pytest.mark.parametrize('outputs', [('feature_map', *TASKS), ('motion',)])
def test_downstream_it_is_what_the_tasks_read(pretrained, tmp_path, outputs):
    model, path = pretrained
    encoder = read_encoder(f'{OURS}/r3d18-small-adapted.py')
    backbone = copy.deepcopy(encoder.backbone)
    backbone['backbone']['base_channels'] = 4
    backbone['outputs'] = outputs
    backbone['adapters'] = {
        name: {**backbone['adapters'][name], 'in_channels': 32} if name in outputs else None
        for name in TASKS
    }
    exported = [name for name in TASKS if name in outputs]
    write_adapted(path, tmp_path / 'x.pth', exported)
    student = StudentFile.read(tmp_path / 'x.pth')
    adapted = Encoder.build(replace(encoder, backbone=backbone), student).backbone
    frames = torch.randn(2, 3, 8, 32, 32)
    with torch.no_grad():
        feature_map = model.backbone(frames)
        maps = [
            feature_map if name == 'feature_map' else model.adapters[name](feature_map)
            for name in outputs
        ]
        found = adapted(frames)
    torch.testing.assert_close(found, torch.cat(maps, dim=1))
    assert found.shape[1] == 32 * ('feature_map' in outputs) + 64 * len(exported)


def test_maps_of_two_levels_stand_side_by_side_at_the_smaller_ones_size():
    config = load('csvr_r3d18-small.py@jhmdb').model
    backbone = dict(
        type='mmact_ssl.AdaptedBackbone',
        backbone=config.backbone,
        adapters=config.adapters,
        outputs=('static', 'dynamic'),
    )
    model, frames = MODELS.build(backbone).eval(), torch.randn(2, 3, 8, 64, 64)
    with torch.no_grad():
        found = model(frames)
        earlier, last = model.backbone(frames)
        static, dynamic = model.adapters['static'](earlier), model.adapters['dynamic'](last)
    assert static.shape[2:] != dynamic.shape[2:] == found.shape[2:]
    torch.testing.assert_close(found[:, 128:], dynamic)
    torch.testing.assert_close(found[:, :128].mean((2, 3, 4)), static.mean((2, 3, 4)))


def test_the_adapted_student_is_the_pretrained_one_and_reads_the_same_clips():
    pretrained = load('hcpg_r3d18-small.py@jhmdb')
    student = pretrained.encoder.name
    adapted, plain = read_encoder(f'{OURS}/{student}-adapted.py'), read_encoder(student)
    backbone = adapted.backbone
    assert backbone['backbone'] == pretrained.model.backbone == plain.backbone
    assert backbone['outputs'] == ('feature_map', *pretrained.model.adapters)
    for task, adapter in pretrained.model.adapters.items():
        assert backbone['adapters'][task] == {**adapter, 'type': f'mmact_ssl.{adapter.type}'}
    assert adapted.name == f'{plain.name}-adapted'
    channels = plain.channels + sum(a.out_channels for a in pretrained.model.adapters.values())
    assert adapted.channels == channels
    assert (adapted.clip, adapted.preprocessor) == (plain.clip, plain.preprocessor)
