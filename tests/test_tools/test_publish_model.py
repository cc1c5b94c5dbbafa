"""The command that publishes a checkpoint: files, cards, figures and mistakes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmact_ssl.apis import load_model
from mmact_ssl.apis.card import card_from
from mmact_ssl.apis.zoo import read_index
from mmact_ssl.checkpoint_file import CARD_KEY
from tests.helpers.students import weights_of
from tests.shipped import load
from tools.publish_model import main


def test_a_published_model_has_a_name(tmp_path: Path):
    main(['csvr_r3d_demo', str(tmp_path / 'y'), '--format=pth'])
    (path,) = tmp_path.glob('y-*.pth')
    model, state = load_model('csvr_r3d_demo'), torch.load(path)['state_dict']
    assert all(
        torch.equal(state[f'backbone.{name}'], value.to(state[f'backbone.{name}']))
        for name, value in model.backbone.state_dict().items()
    )
    with pytest.raises(SystemExit, match="no model 'csvr_r3d_dmo': give a name"):
        main(['csvr_r3d_dmo', str(tmp_path / 'y')])


@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        ('pth', ['--half', '--licence=ours', '--variant=full']),
        ('onnx', ['--half', '--text-encoder=minilm', '--strip-prefix']),
    ],
)
def test_an_option_of_another_format_is_refused(kind, options, capsys):
    for option in options:
        with pytest.raises(SystemExit, match='2'):
            main(['x.pth', 'y', f'--format={kind}', option])
        assert option.split('=')[0] in capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def demo_checkpoint(tmp_path: Path) -> Path:
    """Checkpoint of csvr_r3d_demo, as far as publishing reads it."""
    from mmact_ssl.registry import MODELS

    config = load('downstream/r3d18-small.py@demo')
    state = weights_of(MODELS.build(config.model.backbone))
    model = dict(backbone=config.model.backbone.to_dict())
    text = f"backbone_name = 'r3d18-small'\ndataset_name = 'demo'\nmodel = {model}\n"
    meta = {'cfg': text, 'experiment_name': 'csvr_r3d_demo_20260101_010101'}
    torch.save({'meta': meta, 'state_dict': state}, tmp_path / 'epoch_1.pth')
    return tmp_path / 'epoch_1.pth'


def test_a_file_with_its_card_is_one_command(demo_checkpoint, make_result, tmp_path, capsys):
    zoo = tmp_path / 'zoo'
    zoo.mkdir()
    (zoo / 'index.json').write_text('{}')
    command = [str(demo_checkpoint), str(zoo / 'mine'), '--half', '--licence=ours']
    main(command)
    (published,) = zoo.glob('*.safetensors')
    card = load_model(published).card
    assert (card.name, card.method, card.config) == ('mine', 'csvr', 'csvr_r3d_demo')
    assert (card.trained_on, card.licence, card.precision) == ('demo', 'ours', 'float16')
    assert card.source_sha256 == hashlib.sha256(demo_checkpoint.read_bytes()).hexdigest()
    assert card.results == []
    # Results of another checkpoint are nobody's figures.
    make_result(0.9).write(tmp_path / 'results')
    with pytest.raises(SystemExit, match='no results in .* are of this file'):
        main([*command, '--results', str(tmp_path / 'results')])
    make_result(0.25, checkpoint_hash=card.source_sha256).write(tmp_path / 'results')
    main([*command, '--results', str(tmp_path / 'results')])
    (renewed,) = zoo.glob('*.safetensors')
    assert renewed != published
    card = load_model(renewed).card
    assert (card.method, card.results[0]['value']) == ('CSVR', 0.25)
    assert read_index(zoo / 'index.json')['mine'].file == renewed.name
    assert str(renewed) in capsys.readouterr().out


@pytest.mark.usefixtures('own_logger')
def test_an_onnx_file_has_the_card_of_its_checkpoint(
    demo_checkpoint, make_result, tmp_path, capsys
):
    onnx = pytest.importorskip('onnx', reason="pip install 'mmact_ssl[onnx]'")
    pytest.importorskip('onnxruntime', reason="pip install 'mmact_ssl[onnx]'")
    zoo = tmp_path / 'zoo'
    zoo.mkdir()
    others = {'index.json': '{}', 'mine-12345678.onnx': 'another', 'mine-12345678.safetensors': ''}
    for name, content in others.items():
        (zoo / name).write_text(content)
    sha256 = hashlib.sha256(demo_checkpoint.read_bytes()).hexdigest()
    make_result(0.25, checkpoint_hash=sha256).write(tmp_path / 'results')
    options = ['--format=onnx', '--licence=ours', '--results', str(tmp_path / 'results')]
    main([str(demo_checkpoint), str(zoo / 'mine'), *options])
    told = capsys.readouterr().err
    assert 'mine: exporting to ONNX' in told and 'mine: comparing with torch' in told
    (written,) = {path.name for path in zoo.iterdir()} - set(others)
    assert {name: (zoo / name).read_text() for name in others} == others
    digest = hashlib.sha256((zoo / written).read_bytes()).hexdigest()
    assert written == f'mine-{digest[:8]}.onnx'
    (text,) = (p.value for p in onnx.load(zoo / written).metadata_props if p.key == CARD_KEY)
    card = card_from(json.loads(text))
    assert (card.name, card.licence, card.source_sha256) == ('mine', 'ours', sha256)
    assert [figure['value'] for figure in card.results] == [0.25]


def test_a_published_file_is_written_anew_with_its_own_figures(
    demo_checkpoint, make_result, tmp_path, capsys
):
    main([str(demo_checkpoint), str(tmp_path / 'mine'), '--half', '--licence=ours'])
    (published,) = tmp_path.glob('*.safetensors')
    old = load_model(published)
    # As an early version wrote it.
    text = old.card.to_json().replace('mmact_ssl.ReadVideo', 'mmaction.DecordInit')
    text = text.replace('mmact_ssl.DecodeFrames', 'mmaction.DecordDecode')
    weights = load_file(published)
    save_file(weights, published, metadata={'mmact_ssl_card': text})
    sha256 = hashlib.sha256(published.read_bytes()).hexdigest()
    make_result(0.4, checkpoint_hash=sha256).write(tmp_path / 'results')
    command = [str(published), str(tmp_path / 'new' / 'mine')]
    main([*command, '--results', str(tmp_path / 'results')])
    (renewed,) = (tmp_path / 'new').glob('mine-*.safetensors')
    assert b'mmact_ssl.ReadVideo' in renewed.read_bytes() and b'Decord' not in renewed.read_bytes()
    card = load_model(renewed).card
    assert [(figure['value'], figure['weights']) for figure in card.results] == [(0.4, 'file')]
    assert replace(card, results=[]) == old.card
    assert all(torch.equal(value, weights[key]) for key, value in load_file(renewed).items())
    with pytest.raises(SystemExit):
        main([*command, '--half'])
    assert 'is published, and keeps its weights and parts' in capsys.readouterr().err
    # The figures of the old card are not taken for those that were asked for.
    with pytest.raises(SystemExit, match="the variant 'x', and there are CSVR"):
        main([*command, '--results', str(tmp_path / 'results'), '--variant', 'x'])


def test_a_card_takes_the_figures_of_one_variant(demo_checkpoint, make_result, tmp_path):
    sha256 = hashlib.sha256(demo_checkpoint.read_bytes()).hexdigest()

    def publish(folder: str, *options: str) -> list[tuple[str, float]]:
        main([str(demo_checkpoint), str(tmp_path / 'x'), '--results', folder, *options])
        (path,) = tmp_path.glob('*.safetensors')
        card = load_model(path).card
        path.unlink()
        return [(figure['dataset'], figure['value']) for figure in card.results]

    def write(folder: str, value: float, **changes) -> str:
        make_result(value, checkpoint_hash=sha256, **changes).write(tmp_path / folder)
        return str(tmp_path / folder)

    own = write('own', 0.5)
    write('own', 0.75, variant='centered')
    assert publish(own) == [('demo', 0.5)]
    assert publish(own, '--variant', 'centered') == [('demo', 0.75)]
    with pytest.raises(SystemExit, match="the variant 'x', and there are CSVR"):
        publish(own, '--variant', 'x')
    transfer = write('transfer', 0.1, dataset='jhmdb', variant='pre-trained on demo')
    with pytest.raises(SystemExit, match=r'CSVR, pre-trained on demo \(r3d18-small, linear\): giv'):
        publish(transfer)
    assert publish(own, write('equal', 0.5)) == [('demo', 0.5)]
    with pytest.raises(SystemExit, match=r'Linear on demo with seed 0 is 0\.5 \(c\.py\) and 0\.4'):
        publish(own, write('other', 0.4, method='Mine', config='d.py'))


def test_a_network_that_no_config_evaluates_needs_one(tmp_path):
    checkpoint = str(tmp_path / 'epoch_3.pth')
    state = {'backbone.conv1.weight': torch.ones(1)}
    torch.save({'meta': {'cfg': 'a = 1\n'}, 'state_dict': state}, checkpoint)
    with pytest.raises(SystemExit, match='give a downstream config'):
        main([checkpoint, str(tmp_path / 'x')])
    other = 'configs/downstream/r3d18-small.py'
    with pytest.raises(SystemExit, match=r'error: .*weights do not fit'):
        main([checkpoint, str(tmp_path / 'x'), '--downstream', other])
    assert not list(tmp_path.glob('*.safetensors')), 'what cannot be loaded does not stay'


def test_a_network_of_another_width_needs_a_config_of_it(tmp_path):
    from mmact_ssl.registry import MODELS

    backbone = {**load('downstream/gru.py@nwucla').model.backbone.to_dict(), 'hidden_size': 8}
    text = f"backbone_name = 'gru'\ndataset_name = 'nwucla'\nmodel = dict(backbone={backbone})\n"
    state = weights_of(MODELS.build(backbone))
    torch.save({'meta': {'cfg': text}, 'state_dict': state}, tmp_path / 'epoch_1.pth')
    command = [str(tmp_path / 'epoch_1.pth'), str(tmp_path / 'mine')]
    wrong = r'mine-\w{8}\.safetensors: its features have 16 values, its card says feature_dim=600'
    fix = r': .*--downstream.* model\.cls_head\.in_channels'
    with pytest.raises(SystemExit, match=wrong + fix):
        main(command)
    assert not list(tmp_path.glob('*.safetensors'))
    downstream = tmp_path / 'narrow.py'
    base = "_base_ = 'mmact_ssl::downstream/gru.py'\n"
    downstream.write_text(base + 'model = dict(cls_head=dict(in_channels=16))\n')
    main([*command, '--downstream', str(downstream)])
    (published,) = tmp_path.glob('*.safetensors')
    assert load_model(published).card.feature_dim == 16
