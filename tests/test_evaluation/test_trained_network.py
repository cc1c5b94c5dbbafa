"""A config whose network computes something else with a checkpoint's weights is refused."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.apis.card import read_card
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.engine.launch import read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.evaluation.trained_network import check_network
from mmact_ssl.reporting.study import runs_of
from tests.shipped import CONFIGS, ROOT, load

STUDIES = sorted(path.stem for path in CONFIGS.glob('studies/*.py'))
ZOO = sorted((ROOT / 'zoo').glob('*.safetensors'))
OK = nullcontext()
SHIFT = 'downstream/tsm-r50.py@ucf101'


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')


@pytest.fixture
def record(tmp_path: Path):
    """Writes a checkpoint without weights that says its network."""

    def write(cfg: Config) -> str:
        torch.save(dict(state_dict={}, meta=dict(cfg=cfg.pretty_text)), tmp_path / 'a.pth')
        return str(tmp_path / 'a.pth')

    return write


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        (SHIFT, 'model.backbone.num_segments=1', r'num_segments=1, but .* 8: .*num_segments=1, or'),
        (SHIFT, 'model.backbone.shift_place=block', 'shift_place=block, but the config has block'),
        # Arguments of a class's base, of a part, and of a network with adapters.
        (SHIFT, 'model.backbone.strides=[1,2,2,1]', r"--cfg-options 'model.*=\[1,2,2,1\]', or"),
        ('downstream/stgcn.py@nwucla', 'model.backbone.mode=spatial', 'mode=spatial'),
        (
            'downstream/gru-streams.py@nwucla',
            'model.backbone.encoder.num_layers=1',
            'give --cfg-options model.backbone.encoder.num_layers=1,',
        ),
        (
            'downstream/r3d18-small-adapted.py@jhmdb',
            'model.backbone.backbone.temporal_strides=[1,1,1,1]',
            r'model.backbone.backbone.temporal_strides=\[1, 1, 1, 1\], but',
        ),
    ],
)
def test_another_argument_is_named_with_the_option_that_gives_it(name, option, message, record):
    checkpoint = record(load(name, [option]))
    with pytest.raises(ConfigError, match=message):
        check_network(load(name), checkpoint)
    check_network(load(name, [option]), checkpoint)


def test_what_changes_no_feature_may_differ(record):
    text = load(SHIFT)
    text.model.backbone.update(
        type='ResNetTSM',
        pretrained=None,
        frozen_stages=2,
        norm_eval=True,
        with_cp=True,
        out_indices=(2, 3),
        norm_cfg=dict(type='SyncBN', requires_grad=False),
        num_stages=4,  # the default
        strides=[1, 2, 2, 2],
        act_cfg=dict(type='ReLU', inplace=False),
    )
    del text.model.backbone.num_segments
    check_network(load(SHIFT), record(text))
    stgcn = 'downstream/stgcn.py@nwucla'
    check_network(load(stgcn), record(load(stgcn, ['model.backbone.network.tcn_dropout=0.5'])))
    r3d = load('downstream/r3d18-small.py@jhmdb')
    alike = load('downstream/r3d18-small.py@jhmdb')
    # (0, 0, 0, 0) and 1 by default.
    alike.model.backbone.update(
        non_local=False,
        inflate=(1, (1,), 1, 1),
        base_channels=float(r3d.model.backbone.base_channels),
    )
    check_network(r3d, record(alike))
    # The student of a network with adapters, and one of another class, say nothing of the config.
    adapted = load('downstream/r3d18-small-adapted.py@jhmdb')
    check_network(adapted, record(load('downstream/r3d18-small.py@jhmdb')))
    check_network(load(SHIFT), record(load('downstream/r3d18-small.py@jhmdb')))


@pytest.mark.parametrize('text', ['', 'model = 3', 'model = dict(backbone=3)', 'model = {'])
def test_a_file_without_a_record_is_accepted(text, tmp_path: Path):
    torch.save(dict(state_dict={}, meta=dict(cfg=text)), tmp_path / 'a.pth')
    check_network(load(SHIFT), str(tmp_path / 'a.pth'))


@pytest.mark.parametrize(
    ('layout', 'bones', 'refused'),
    [
        ('ntu25', None, True),  # of a training before checkpoints recorded them
        ('ntu25', 'own', False),
        ('kinect20', None, False),
        ('kinect20', [0] * 20, True),
    ],
)
def test_a_student_of_other_bones_is_refused(layout, bones, refused, tmp_path: Path):
    option = f'model.backbone.encoder.layout={layout}'
    cfg = load('downstream/gru-streams.py@nwucla', [option])
    own = list(LAYOUTS[layout].parents) if bones == 'own' else bones
    meta = dict(cfg=cfg.pretty_text, dataset_meta={} if own is None else dict(bones=own))
    torch.save(dict(state_dict={}, meta=meta), tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match=f'bones of the layout {layout}') if refused else OK:
        check_network(cfg, str(tmp_path / 'a.pth'))
    # Joints and their motion have none.
    steps = cfg.test_dataloader.dataset.pipeline
    next(step for step in steps if 'Bones' in step.type).streams = ('joint', 'motion', 'motion')
    check_network(cfg, str(tmp_path / 'a.pth'))


def test_a_recognizer_with_another_network_is_not_built(linear_config, student_checkpoint):
    content = torch.load(student_checkpoint)
    trained = copy.deepcopy(linear_config)
    trained.model.backbone.temporal_strides = (1, 1, 1, 1)
    torch.save({**content, 'meta': dict(cfg=trained.pretty_text)}, student_checkpoint)
    with pytest.raises(ConfigError, match=r'temporal_strides=\(1, 1, 1, 1\), but the config has'):
        build_recognizer(linear_config, 0, str(student_checkpoint))
    found = build_recognizer(trained, 0, str(student_checkpoint))
    assert torch.equal(
        next(found.parameters()), content['state_dict']['backbone.conv1.conv.weight']
    )


@pytest.mark.parametrize('file', ZOO, ids=lambda path: path.stem)
def test_every_published_model_loads_in_its_downstream_config(file: Path):
    card = read_card(file)
    dataset = card.config.rpartition('_')[2]
    cfg = load(f'downstream/{card.backbone_name}.py@{dataset}')
    check_network(cfg, str(file))
    build_recognizer(cfg, 0, str(file))


@pytest.mark.parametrize('name', STUDIES)
def test_every_study_evaluates_the_network_that_it_trains(name, record):
    pairs = set()
    for run in runs_of(Config.fromfile(CONFIGS / f'studies/{name}.py')):
        if run.get('pretrain'):
            options = [
                tuple(o.replace('{seed}', '0') for o in part.get('cfg_options', ()))
                for part in (run, *run['evaluations'])
            ]
            for part, own in zip(run['evaluations'], options[1:]):
                if part['protocols'] != 'pretext':
                    pairs.add((run['pretrain'], options[0], part['config'], own, part.get('set')))
    read = cache(read_config)
    for pretrain, trained, config, own, name in pairs:
        student = record(read(str(ROOT / pretrain), trained))
        check_network(read(str(ROOT / config), own, dataset=name), student)
