"""A student is built as its file records it, whatever its downstream config has."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.apis.card import read_card
from mmact_ssl.engine.launch import parse_cfg_options
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation import student as module
from mmact_ssl.evaluation.student import build_recognizer, with_saved_backbone
from mmact_ssl.saved_run import SavedRun
from tests import shipped
from tests.shipped import ROOT

ZOO = sorted((ROOT / 'zoo').glob('*.safetensors'))
OK = nullcontext()
SHIFT = 'TSM of mmaction2'


def load(name: str, options: Sequence[str] = ()) -> Config:
    """A shipped config, or one of TSM's ResNet-50 as mmaction2 spells it."""
    if name != SHIFT:
        return shipped.load(name, options)
    config = shipped.load('downstream/tsm-lite0.py@ucf101')
    network = dict(type='mmaction.ResNetTSM', depth=50, num_segments=8, shift_div=8)
    config.merge_from_dict({'model.backbone': {**network, '_delete_': True}})
    config.merge_from_dict(parse_cfg_options(options))
    return config


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(module, 'print_log', lambda text, *_, **__: lines.append(text))
    return lines


def record(cfg: Config) -> SavedRun:
    """A training checkpoint without weights that records its network."""
    return SavedRun(__file__, dict(meta=dict(cfg=cfg.pretty_text)))


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os.path, 'getsize', lambda path: 1 << 30)


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        (SHIFT, 'model.backbone.num_segments=1', 'num_segments=1, not 8'),
        (SHIFT, 'model.backbone.shift_place=block', ''),
        (SHIFT, 'model.backbone.strides=[1,2,2,1]', ''),
        ('downstream/stgcn.py@nwucla', 'model.backbone.mode=spatial', 'mode=spatial'),
        (
            'downstream/gru-streams.py@nwucla',
            'model.backbone.encoder.num_layers=1',
            "'num_layers': 1",
        ),
    ],
)
def test_the_recorded_network_takes_the_place_of_the_configs(name, option, message, said):
    cfg = load(name)
    before = copy.deepcopy(cfg)
    found = with_saved_backbone(cfg, record(load(name, [option])))
    key = option.partition('=')[0]
    wanted = load(name, [option])
    for part in key.split('.'):
        found, wanted = found[part], wanted[part]
    assert str(found) == str(wanted)
    assert message in ''.join(said)
    assert cfg.model == before.model


def test_a_downstream_config_keeps_pooling_and_what_is_trained(said):
    trained = load(SHIFT)
    trained.model.backbone.update(
        frozen_stages=2, norm_eval=True, with_cp=True, out_indices=(2, 3), shift_div=4
    )
    own = load(SHIFT, ['model.backbone.frozen_stages=1', 'model.backbone.norm_eval=False'])
    found = with_saved_backbone(own, record(trained)).model.backbone
    assert (found.frozen_stages, found.norm_eval, found.shift_div) == (1, False, 4)
    assert 'out_indices' not in found and 'pretrained' not in found
    silent = load(SHIFT)
    for key in ('frozen_stages', 'norm_eval', 'norm_cfg'):
        silent.model.backbone.pop(key, None)
    trained.model.backbone.norm_cfg = dict(type='SyncBN', requires_grad=False, eps=0.1)
    found = with_saved_backbone(silent, record(trained)).model.backbone
    assert not {'frozen_stages', 'norm_eval', 'with_cp'} & set(found), 'all layers are trained'
    assert found.norm_cfg == dict(type='SyncBN', eps=0.1)
    gru = 'downstream/gru-streams.py@nwucla'
    trained = load(gru, ['model.backbone.encoder.num_layers=1'])
    del trained.model.backbone.encoder.pool
    found = with_saved_backbone(load(gru), record(trained)).model.backbone.encoder
    assert (found.num_layers, found.pool) == (1, 'mean_max')


def test_the_config_stays_as_it_is_where_nothing_differs(said):
    for name in (SHIFT, 'downstream/r3d18-small.py@jhmdb', 'downstream/stgcn.py@nwucla'):
        cfg = load(name)
        assert with_saved_backbone(cfg, record(load(name))) is cfg
    # One of another class.
    r3d = load('downstream/r3d18-small.py@jhmdb')
    assert with_saved_backbone(r3d, record(load(SHIFT))) is r3d
    assert not said


def test_other_data_than_that_of_the_training_is_refused():
    cfg = load('downstream/gru-streams.py@nwucla')
    for option in ('layout=ntu25', 'in_channels=2'):
        trained = load('downstream/gru-streams.py@nwucla', [f'model.backbone.encoder.{option}'])
        with pytest.raises(ConfigError, match=f'trained on data of {option}, and .* has '):
            with_saved_backbone(cfg, record(trained))


@pytest.mark.parametrize('text', ['', 'model = 3', 'model = dict(backbone=3)', 'model = {'])
def test_a_file_without_a_record_is_accepted(text):
    cfg = load(SHIFT)
    assert with_saved_backbone(cfg, SavedRun('a.pth', dict(meta=dict(cfg=text)))) is cfg


def test_nothing_that_is_not_on_the_list_is_built():
    cfg = load(SHIFT)
    forged = load(SHIFT)
    forged.model.backbone.norm_cfg = dict(type='os.system', command='true')
    with pytest.raises(ConfigError, match=r"'os\.system', refused.* in the training 'norm_cfg' is"):
        with_saved_backbone(cfg, record(forged))


def test_a_class_of_ones_own_has_the_arguments_of_the_training(said):
    own = load('downstream/r3d18-small.py@jhmdb')
    own.model.backbone.type = 'mmact_ssl.OwnNetwork'
    trained = copy.deepcopy(own)
    # Where weights start from and what is trained may differ.
    own.model.backbone.update(pretrained='start.pth', frozen_stages=1)
    assert with_saved_backbone(own, record(trained)) is own
    trained.model.backbone.update(type='OwnNetwork', temporal_strides=(1, 1, 1, 1), width='a\x1b')
    with pytest.raises(ConfigError) as error:
        with_saved_backbone(own, record(trained))
    message = str(error.value)
    assert "'OwnNetwork', refused: not on the list" in message
    assert "'temporal_strides' is (1, 1, 1, 1), not " in message
    assert "'width' is 'a\\x1b', not None" in message
    assert 'depth' not in message and 'frozen' not in message and 'pretrained' not in message
    assert not said


def test_a_network_larger_than_its_file_is_refused(monkeypatch):
    monkeypatch.setattr(module.os.path, 'getsize', lambda path: 10)
    monkeypatch.setattr('mmact_ssl.parts.SPARE_VALUES', 1000)
    trained = load(SHIFT, ['model.backbone.num_segments=1'])
    with pytest.raises(CheckpointError, match='its network is larger than the file'):
        with_saved_backbone(load(SHIFT), record(trained))


def test_weights_that_fit_two_networks_are_those_of_the_recorded_one(
    linear_config, student_checkpoint
):
    content = torch.load(student_checkpoint)
    trained = copy.deepcopy(linear_config)
    trained.model.backbone.temporal_strides = (1, 1, 1, 1)
    torch.save({**content, 'meta': dict(cfg=trained.pretty_text)}, student_checkpoint)
    saved = SavedRun.read(student_checkpoint)
    built = build_recognizer(with_saved_backbone(linear_config, saved), 0, saved)
    wanted = build_recognizer(trained, 0, saved)
    clip = torch.randn(1, 3, 8, 16, 16)
    for network in (built, wanted):
        network.eval()
    with torch.no_grad():
        torch.testing.assert_close(built.backbone(clip), wanted.backbone(clip))
    assert built.backbone(clip).shape[2] == 8, 'of the clip'


@pytest.mark.parametrize('file', ZOO, ids=lambda path: path.stem)
def test_every_published_model_loads_in_its_downstream_config(file: Path):
    card = read_card(file)
    cfg = load(f'downstream/{card.backbone_name}.py@{card.results[0]["dataset"]}')
    saved = SavedRun.read(file)
    build_recognizer(with_saved_backbone(cfg, saved), 0, saved)
