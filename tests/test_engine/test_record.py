"""A training records its encoder, and the other tools read the record."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.engine.record import joint_labels, record_training
from mmact_ssl.errors import CheckpointError
from mmact_ssl.io.checkpoint_file import load_checkpoint_safely
from mmact_ssl.io.records import LabelsRead
from mmact_ssl.io.schema import conform
from mmact_ssl.io.student_file import StudentFile
from tests.shipped import own_folder
from tools.train import main

CONFIG = 'mmact_ssl::speed_r3d18-small.py'
SHIPPED = 'mmact_ssl::encoders/r3d18-small.py'


def record(tmp_path: Path, options: list[str], config: str = CONFIG) -> dict:
    cfg = read_config(config, [f'work_dir={tmp_path}', *options], dataset='demo')
    return record_training(cfg)['encoder']


def test_an_option_is_recorded_by_name(tmp_path: Path):
    found = record(tmp_path, ['encoder.options.side=48'])
    assert found == dict(config=SHIPPED, options=dict(frames=8, side=48, stride=2))
    assert not (tmp_path / 'encoder.py').exists()


@pytest.mark.parametrize(
    'options',
    [
        ['norm_eval=True', 'frozen_stages=1', 'partial_bn=True'],
        ['out_indices=[1,3]', 'pool=None', 'drop_path_rate=0.1', 'norm_cfg.type=SyncBN'],
        ['pretrained=/a.pth', 'checkpoint=/a.pth', 'init_cfg.type=Pretrained'],
    ],
)
def test_what_belongs_to_the_training_alone_changes_no_encoder(options: list[str], tmp_path: Path):
    found = record(tmp_path, [f'model.backbone.{option}' for option in options])
    assert found['config'] == SHIPPED and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ('option', 'part', 'value'),
    [
        ('model.backbone.depth=34', 'backbone.depth', 34),
        ('model.backbone.base_channels=8', 'backbone.base_channels', 8),
        (
            'model.backbone.norm_cfg.type=BN3d model.backbone.norm_cfg.eps=0.1',
            'backbone.norm_cfg.eps',
            0.1,
        ),
        ('model.data_preprocessor.mean=[1.0,2.0,3.0]', 'preprocessor.mean', [1.0, 2.0, 3.0]),
        ('encoder.preprocessor.std=[4.0,5.0,6.0]', 'preprocessor.std', [4.0, 5.0, 6.0]),
        ('encoder.clip.1.num_clips=5', 'clip.1.num_clips', 5),
        ('encoder.deviation=True', 'deviation', True),
        ('encoder.channels=64', 'channels', 64),
    ],
)
def test_another_student_is_written_into_the_work_dir(option, part, value, tmp_path, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handle', lambda r: told.append(r.msg))
    found = record(
        tmp_path, [*option.split(), 'encoder.options.side=48', 'model.backbone.norm_eval=True']
    )
    path = tmp_path / 'encoder.py'
    assert found == dict(config=str(path), options={})
    assert any(f'it is in {path}, give that to other tools as --encoder' in line for line in told)
    written, shipped = read_encoder(str(path)), read_encoder('r3d18-small,side=48')
    assert written.options == {}
    changed, *inner = part.split('.')
    for key in {*vars(shipped)} - {'source', 'options', changed}:
        assert getattr(written, key) == getattr(shipped, key), key
    read = getattr(written, changed)
    for key in inner:
        read = read[int(key) if key.isdecimal() else key]
    assert read == value
    assert 'norm_eval' not in written.backbone
    if changed == 'backbone':
        before, after = (Encoder.build(one).backbone for one in (shipped, written))
        assert str(after) != str(before)


def test_an_encoder_of_the_user_is_written_with_its_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'turned_colors.py').write_text('COUNT = 3\n')
    (tmp_path / 'mine.py').write_text(
        f"_base_ = '{CONFIG}'\n"
        "custom_imports = dict(imports=['mmact_ssl', 'turned_colors'])\n"
        "encoder = dict(name='mine', options=dict(side=32))\n"
    )
    found = record(tmp_path, [], str(tmp_path / 'mine.py'))
    text = (tmp_path / 'encoder.py').read_text()
    assert found['config'] == str(tmp_path / 'encoder.py') and 'turned_colors' in text
    written = read_encoder(found['config'])
    assert written.name == 'mine' and written.options == {}
    assert dict(type='mmaction.CenterCrop', crop_size=32) in written.clip


def test_a_joint_training_records_its_labels(tmp_path: Path):
    options = [
        'train_dataloader.dataset.label_fraction=0.1',
        'train_dataloader.dataset.label_seed=3',
    ]
    for config, more, labels in (
        ('mmact_ssl::dtg-joint_tsm-lite0.py', options, LabelsRead('demo', 0.1, 3)),
        ('mmact_ssl::dtg-joint_tsm-lite0.py', [], LabelsRead('demo', 1.0, 0)),
        ('mmact_ssl::dtg_tsm-lite0.py', [], None),
    ):
        table = record_training(
            read_config(config, [f'work_dir={tmp_path}', *more], dataset='demo')
        )['labels']
        assert conform(table, LabelsRead | None) == labels


def test_a_config_without_an_encoder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told: list[str] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handle', lambda r: told.append(r.msg))
    path = tmp_path / 'mine.py'
    path.write_text("model = dict(type='Mine')\n")
    assert record_training(read_config(str(path)))['encoder'] is None
    assert any(f'{path}: has no `encoder`' in line and '--encoder' in line for line in told)


def train(work_dir: Path, *options: str) -> dict:
    """Train one epoch of two clips; give what the checkpoint records."""
    settings = ['train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1']
    settings += ['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']
    words = [f'--data={own_folder()}', f'--work-dir={work_dir}', '--cfg-options']
    main(['mmact_ssl::ms2l-twoview_gru.py', *words, *settings, *options])
    return load_checkpoint_safely(work_dir / 'epoch_1.pth')['meta']['record']


def has_trained_weights(encoder: Encoder, work_dir: Path) -> bool:
    state = load_checkpoint_safely(work_dir / 'epoch_1.pth')['state_dict']
    own = encoder.backbone.state_dict()
    return all(torch.equal(value, state[f'backbone.{key}']) for key, value in own.items())


def test_a_work_dir_is_an_encoder(tmp_path: Path):
    found = train(tmp_path, 'encoder.options.frames=16')
    options = dict(layout='kinect20', persons=1, coordinates=3, frames=16)
    assert found['encoder'] == dict(config='mmact_ssl::encoders/gru-streams.py', options=options)
    assert (found['config'], found['data'], found['labels']) == ('ms2l-twoview_gru', 'own', None)
    encoder = Encoder.load(tmp_path)
    assert encoder.config == read_encoder('gru-streams', options)
    assert has_trained_weights(encoder, tmp_path)


def test_a_work_dir_of_another_student_is_read_with_its_own_file_alone(tmp_path: Path):
    sizes = ['model.backbone.encoder.hidden_size=8', 'model.heads.contrast.in_channels=96']
    found = train(tmp_path, *sizes, 'encoder.channels=96')
    path = str(tmp_path / 'encoder.py')
    assert found['encoder'] == dict(config=path, options={})
    encoder = Encoder.load(tmp_path, encoder=path)
    assert encoder.config.backbone['encoder']['pool'] == 'mean_max'
    assert (encoder.config.feature_dim, has_trained_weights(encoder, tmp_path)) == (96, True)
    clip = np.random.default_rng(0).random((1, 9, 20, 3), np.float32)
    sample = dict(keypoint=clip, total_frames=9, layout='kinect20', label=0, frame_dir='one')
    assert encoder.features([encoder.transform(sample)]).shape == (1, 96)
    for named, fault in ((None, 'is not one of the package'), ('gru-streams', 'do not fit')):
        with pytest.raises(
            CheckpointError, match=f'epoch_1.pth: .*{fault}.*give --encoder'
        ) as error:
            Encoder.load(tmp_path, encoder=named)
        assert '\n' not in str(error.value)
    saved = StudentFile.read(tmp_path)
    assert json.loads(json.dumps(saved.record)) == saved.record, 'plain values'


def test_the_labels_of_several_sets_are_those_of_their_draw():
    """An option may have changed what the data set was built with."""
    dataset = dict(datasets=[dict(label_fraction=0.2)])
    cfg = dict(label_fraction=0.7, dataset_name='mine', train_dataloader=dict(dataset=dataset))
    assert joint_labels(cfg) == LabelsRead('mine', 0.2, 0)
