"""The command that publishes a checkpoint: files, cards and mistakes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from mmact_ssl.apis import load_model
from mmact_ssl.apis import publish as publish_api
from mmact_ssl.errors import CheckpointError
from mmact_ssl.io.checkpoint_file import CARD_KEY, parse_card
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.zoo import read_index
from tests.helpers.students import write_student
from tools.publish_model import main


def test_a_published_model_has_a_name(tmp_path: Path):
    main(['csvr_r3d_demo', str(tmp_path / 'y'), '--format=pth'])
    (path,) = tmp_path.glob('y-*.pth')
    model, state = load_model('csvr_r3d_demo'), torch.load(path)['state_dict']
    assert all(
        torch.equal(state[f'backbone.{name}'], value.to(state[f'backbone.{name}']))
        for name, value in model.backbone.state_dict().items()
    )
    again = load_model(path)
    assert again.config == model.config, 'it keeps the record'
    with pytest.raises(SystemExit, match="no model 'csvr_r3d_dmo': give a name"):
        main(['csvr_r3d_dmo', str(tmp_path / 'y')])


@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        ('pth', ['--half', '--licence=ours', '--encoder=gru']),
        ('onnx', ['--half', '--text-encoder=minilm']),
    ],
)
def test_an_option_of_another_format_is_refused(kind, options, capsys):
    for option in options:
        with pytest.raises(SystemExit, match='2'):
            main(['x.pth', 'y', f'--format={kind}', option])
        assert option.split('=')[0] in capsys.readouterr().err.splitlines()[-1]


def test_a_file_with_its_card_is_one_command(student_checkpoint, tmp_path, capsys):
    zoo = tmp_path / 'zoo'
    zoo.mkdir()
    (zoo / 'index.json').write_text('{}')
    main([str(student_checkpoint), str(zoo / 'mine'), '--half', '--licence=ours'])
    (published,) = zoo.glob('*.safetensors')
    card = StudentFile.read(published).card
    assert (card.name, card.method, card.config) == ('mine', 'made', 'made_small')
    assert (card.data, card.trained_on, card.licence) == ('made', 'made', 'ours')
    assert card.precision == 'float16'
    assert card.source_sha256 == hashlib.sha256(student_checkpoint.read_bytes()).hexdigest()
    assert load_model(published).config == load_model(student_checkpoint).config
    assert read_index(zoo / 'index.json')['mine'].file == published.name
    assert str(published) in capsys.readouterr().out
    with pytest.raises(SystemExit, match='is published already: give its training checkpoint'):
        main([str(published), str(zoo / 'again')])


@pytest.mark.parametrize('stop', [CheckpointError('other features'), KeyboardInterrupt()])
def test_no_unchecked_file_stays(stop, student_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(publish_api, 'compare_features', Mock(side_effect=stop))
    with pytest.raises(SystemExit):
        main([str(student_checkpoint), str(tmp_path / 'mine')])
    assert not [*tmp_path.glob('mine*')]


def test_weights_of_another_network_than_recorded_need_its_encoder(
    video_encoder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    wide = tmp_path / 'encoder.py'
    wide.write_text(
        "_base_ = 'mmact_ssl::encoders/r3d18-small.py'\n"
        'encoder = dict(backbone=dict(base_channels=8), channels=64)\n'
    )
    from mmact_ssl.configs.encoder_config import read_encoder

    checkpoint = write_student(tmp_path / 'wide.pth', read_encoder(str(wide)))
    main([str(checkpoint), 'mine', f'--encoder={wide}'])
    (published,) = tmp_path.glob('*.safetensors')
    assert load_model(published, str(wide)).config.feature_dim == 64
    with pytest.raises(Exception, match=r'is not one of the package: give --encoder'):
        load_model(published)


def test_an_onnx_file_has_the_card_of_its_checkpoint(student_checkpoint, tmp_path, capsys):
    onnx = pytest.importorskip('onnx', reason="pip install 'mmact_ssl[onnx]'")
    pytest.importorskip('onnxruntime', reason="pip install 'mmact_ssl[onnx]'")
    zoo = tmp_path / 'zoo'
    zoo.mkdir()
    others = {'index.json': '{}', 'mine-12345678.onnx': 'another', 'mine-12345678.safetensors': ''}
    for name, content in others.items():
        (zoo / name).write_text(content)
    sha256 = hashlib.sha256(student_checkpoint.read_bytes()).hexdigest()
    main([str(student_checkpoint), str(zoo / 'mine'), '--format=onnx', '--licence=ours'])
    told = capsys.readouterr().err
    assert 'mine: exporting to ONNX' in told and 'mine: comparing with torch' in told
    (written,) = {path.name for path in zoo.iterdir()} - {*others, 'onnx_features.py'}
    assert {name: (zoo / name).read_text() for name in others} == others
    digest = hashlib.sha256((zoo / written).read_bytes()).hexdigest()
    assert written == f'mine-{digest[:8]}.onnx'
    (text,) = (p.value for p in onnx.load(zoo / written).metadata_props if p.key == CARD_KEY)
    card = parse_card({CARD_KEY: text}, written)
    assert (card.name, card.licence, card.source_sha256) == ('mine', 'ours', sha256)
