"""Loading the student: all of it, or an error that says what is wrong."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from mmact_ssl.errors import CheckpointError, DataError
from mmact_ssl.evaluation.student import (
    build_recognizer,
    load_student,
    start_hash,
)
from mmact_ssl.files import sha256_of_file
from mmact_ssl.saved_run import SavedRun
from tests.shipped import load


def is_same(module: nn.Module, other: nn.Module) -> bool:
    """True if two networks have equal weights."""
    values, others = module.state_dict(), other.state_dict()
    return all(torch.equal(value, others[key]) for key, value in values.items())


@pytest.fixture
def backbone(linear_config):
    return build_recognizer(linear_config, seed=0).backbone


def test_all_of_the_student_is_loaded(backbone, student_checkpoint):
    load_student(backbone, SavedRun.read(student_checkpoint))
    stored = torch.load(student_checkpoint, weights_only=True)['state_dict']
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, stored[f'backbone.{key}']), key


def test_the_weights_to_start_from_need_not_be_there(linear_config, student_checkpoint):
    """Those of the checkpoint take their place; without one they are looked for."""
    expected = build_recognizer(linear_config, 0, SavedRun.read(student_checkpoint))
    linear_config.model.backbone.pretrained = '/no/such/start.pth'
    found = build_recognizer(linear_config, 0, SavedRun.read(student_checkpoint))
    assert is_same(found, expected)
    assert linear_config.model.backbone.pretrained == '/no/such/start.pth'
    with pytest.raises(DataError, match=r'start\.pth'):
        start_hash(linear_config)


@pytest.mark.parametrize(
    ('name', 'part'),
    [('r3d18-small.py@jhmdb', ''), *(('gru-streams.py@nwucla', part) for part in ('', 'encoder.'))],
)
def test_the_file_of_an_init_cfg_is_a_start_too(name, part, tmp_path):
    init_default_scope('mmaction')
    config, path = f'downstream/{name}', str(tmp_path / 'start.pth')
    cfg = load(config, [f'model.backbone.{part}init_cfg.type=Pretrained'])
    cfg.merge_from_dict({f'model.backbone.{part}init_cfg.checkpoint': path})
    student = build_recognizer(load(config), 0).backbone
    state = {key: torch.full_like(value, 3) for key, value in student.state_dict().items()}
    torch.save({f'backbone.{key}': value for key, value in state.items()}, tmp_path / 'a.pth')
    build_recognizer(cfg, 0, SavedRun.read(tmp_path / 'a.pth'))
    with pytest.raises(DataError, match=r'start\.pth'):
        start_hash(cfg)
    start = student.encoders[0] if part else student
    torch.save({key: torch.full_like(v, 3) for key, v in start.state_dict().items()}, path)
    assert start_hash(cfg) == sha256_of_file(path)
    found = build_recognizer(cfg, 0).backbone.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in found.items())


def test_what_does_not_fit_is_an_error_and_loads_nothing(backbone, student_checkpoint):
    content = torch.load(student_checkpoint, weights_only=True)
    state, before = content['state_dict'], copy.deepcopy(backbone)
    del state['backbone.conv1.conv.weight']
    state['backbone.layer5.weight'] = torch.zeros(1)
    state['backbone.conv1.bn.weight'] = torch.zeros(5)
    torch.save(content, student_checkpoint)
    with pytest.raises(CheckpointError, match='3 weights do not fit') as error:
        load_student(backbone, SavedRun.read(student_checkpoint))
    for fault in ('conv1.conv.weight missing≠[8', 'layer5.weight [1]≠', 'bn.weight [5]≠[8]'):
        assert fault in str(error.value)
    assert is_same(backbone, before)


def test_a_file_without_a_backbone_names_what_is_there(backbone, tmp_path):
    torch.save({'encoder.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r"'backbone\.', they begin with encoder: give"):
        load_student(backbone, SavedRun.read(tmp_path / 'a.pth'))


def test_a_seed_is_an_encoder(linear_config):
    torch.manual_seed(0)
    first = build_recognizer(linear_config, seed=1)
    after = torch.rand(1)
    torch.manual_seed(5)
    again = build_recognizer(linear_config, seed=1)
    other = build_recognizer(linear_config, seed=2)
    assert is_same(first, again) and not is_same(first, other)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1)), 'building drew from the global generator'
