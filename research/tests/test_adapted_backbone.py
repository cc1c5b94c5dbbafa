"""The student with its adapters downstream: the same maps as in pre-training, whole checkpoints."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.registry import MODELS
from mmact_ssl.saved_run import SavedRun
from research.parts.adapted_backbone import write_adapted
from tests.shipped import load

CONFIGS = Path(__file__).parents[2] / 'configs'
OURS = '../research/configs/downstream'
TASKS = ('appearance', 'motion', 'parsing')


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """A small pre-trainer and its checkpoint."""
    config = Config.fromfile(CONFIGS / 'hcpg_r3d18-small.py')
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
    config = load(f'{OURS}/r3d18-small-adapted.py@jhmdb')
    backbone = config.model.backbone
    backbone.backbone.base_channels = 4
    backbone.outputs = outputs
    backbone.adapters = {
        name: {**backbone.adapters[name], 'in_channels': 32} if name in outputs else None
        for name in TASKS
    }
    exported = [name for name in TASKS if name in outputs]
    config.model.cls_head.in_channels = 32 * ('feature_map' in outputs) + 64 * len(exported)
    write_adapted(path, tmp_path / 'x.pth', exported)
    recognizer = build_recognizer(config, seed=0, student=SavedRun.read(tmp_path / 'x.pth')).eval()
    frames = torch.randn(2, 3, 8, 32, 32)
    with torch.no_grad():
        feature_map = model.backbone(frames)
        maps = [
            feature_map if name == 'feature_map' else model.adapters[name](feature_map)
            for name in outputs
        ]
        found = recognizer.backbone(frames)
    torch.testing.assert_close(found, torch.cat(maps, dim=1))
    assert found.shape[1] == config.model.cls_head.in_channels


def test_maps_of_two_levels_stand_side_by_side_at_the_smaller_ones_size():
    config = Config.fromfile(CONFIGS / 'csvr_r3d18-small.py').model
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


@pytest.mark.parametrize(
    ('name', 'dataset'), [('hcpg_r3d18-small.py', 'jhmdb'), ('hcpg_r3d_k400.py', 'hmdb51')]
)
def test_the_adapted_student_is_the_pretrained_one_under_the_plain_protocols(name, dataset):
    pretrained = load(name)
    student = pretrained.backbone_name
    adapted = load(f'{OURS}/{student}-adapted.py@{dataset}')
    plain = load(f'downstream/{student}.py@{dataset}')
    backbone = adapted.model.backbone
    assert backbone.backbone == pretrained.model.backbone == plain.model.backbone
    assert backbone.outputs == ('feature_map', *pretrained.model.adapters)
    for task, adapter in pretrained.model.adapters.items():
        assert backbone.adapters[task] == {**adapter, 'type': f'mmact_ssl.{adapter.type}'}
    assert adapted.backbone_name == f'{plain.backbone_name}-adapted'
    # All but the student is as in the plain protocols.
    for config in (adapted, plain):
        config.model.pop('backbone')
        config.model.cls_head.pop('in_channels')
        for key in ('adapter', 'backbone_name', 'custom_imports', 'optim_wrapper'):
            config.pop(key, None)
    assert adapted.to_dict() == plain.to_dict()
