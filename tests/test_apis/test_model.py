"""A published file is all that is needed, gives the probe's features, and cannot do harm."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope
from safetensors.torch import load_file, save_file

from mmact_ssl.apis import load_model
from mmact_ssl.apis.card import read_card
from mmact_ssl.apis.publish import make_card
from mmact_ssl.checkpoint_file import CARD_KEY
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.features import extract_features
from mmact_ssl.evaluation.student import build_recognizer
from tests.test_apis.conftest import KNOWN, publish


def extract(cfg) -> np.ndarray:
    init_default_scope('mmaction')
    test = read_splits(cfg)[1]
    return extract_features(cfg, build_recognizer(cfg, 3), {'test': test})['test'].values


def test_a_video_model_gives_the_features_of_the_probe(linear_config, labeled_world, tmp_path):
    linear_config.feature_deviation = True
    path = publish(linear_config, tmp_path)
    expected = extract(linear_config)
    model = load_model(path)
    assert not model.backbone.training
    names = [line.split()[0] for line in (labeled_world / 'test.txt').read_text().splitlines()]
    read = dict(start_index=0, modality='RGB')
    videos = [model.transform(dict(read, filename=str(labeled_world / name))) for name in names]
    found = model.features(videos)
    assert found.shape == expected.shape == (6, model.card.feature_dim)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert model.card.kind == 'video'
    assert model.card.clip == dict(clip_len=8, num_clips=3, frame_interval=2)
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'small-{model.sha256[:8]}.safetensors'


def test_a_skeleton_model_does(skeleton_config, tmp_path):
    expected = extract(skeleton_config)
    model = load_model(publish(skeleton_config, tmp_path))
    card = model.card
    assert (card.kind, card.layout, card.num_persons) == ('skeleton', 'kinect20', 1)
    dataset = copy.deepcopy(skeleton_config.test_dataloader.dataset)
    dataset.pipeline = []
    clips = [DATASETS.build(dataset)[number] for number in range(6)]
    found = torch.cat([model.features([model.transform(clip)]) for clip in clips])
    assert found.shape == (6, model.card.feature_dim)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_same_weights_and_card_give_the_same_file(linear_config, published, tmp_path):
    again = publish(linear_config, tmp_path / 'again')
    assert again.read_bytes() == published.read_bytes()
    half = publish(linear_config, tmp_path / 'half', half=True)
    assert half.stat().st_size < 0.6 * published.stat().st_size
    weights = load_model(half).backbone.state_dict()
    for key, value in load_model(published).backbone.state_dict().items():
        assert weights[key].dtype == value.dtype
        torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-6)
    assert read_card(half).precision == 'float16'


def test_figures_are_those_of_the_very_weights(linear_config, make_result, tmp_path):
    of = dict(checkpoint_hash='0' * 64, details={'confusion': [[3, 1], [0, 2]]})
    results = [make_result(0.4, **of), make_result(0.9, seed=1), make_result(0.3, protocol='semi')]
    first = publish(linear_config, tmp_path, results=results, half=True)
    (figure,) = read_card(first).results
    assert (figure['value'], figure['test_clips'], figure['weights']) == (0.4, 6, 'checkpoint')
    # Rounded weights have figures of their own, once the file itself is evaluated.
    measured = make_result(0.39, checkpoint_hash=hashlib.sha256(first.read_bytes()).hexdigest())
    second = publish(linear_config, tmp_path, results=[*results, measured], half=True)
    (figure,) = read_card(second).results
    assert (figure['value'], figure['weights']) == (0.39, 'file')


def test_figures_of_a_small_gallery_are_those_that_it_has(linear_config, make_result, tmp_path):
    metrics = {'recall@1': 0.5, 'recall@5': 1.0, 'n_test': 6}
    result = make_result(checkpoint_hash='0' * 64, protocol='retrieval', metrics=metrics)
    figures = read_card(publish(linear_config, tmp_path, results=[result])).results
    assert [(one['name'], one['test_clips']) for one in figures] == [('R@1', 6), ('R@5', 6)]


def test_what_leads_out_of_the_file_is_not_published(linear_config):
    linear_config.model.backbone.pretrained = '/home/me/weights.pth'
    assert 'pretrained' not in make_card(linear_config, **KNOWN).backbone
    linear_config.test_dataloader.dataset.pipeline[0] = dict(type='mmaction.TorchVisionWrapper')
    with pytest.raises(ConfigError, match=r"pipeline is a 'mmaction.TorchVisionWrapper', refused"):
        make_card(linear_config, **KNOWN)


def change(path: Path, **values) -> Path:
    """Write the file with another card; None takes a field out."""
    card = {**asdict(read_card(path)), **values}
    card = {key: value for key, value in card.items() if value != 'left out'}
    changed = path.with_name('changed.safetensors')
    save_file(load_file(path), changed, metadata={CARD_KEY: json.dumps(card)})
    return changed


RESNET = dict(type='mmaction.ResNet3d', depth=18)
REFUSED = [
    (dict(extra=1), "its card has 'extra', which this version does not know"),
    (dict(licence='left out'), "lacks 'licence'"),
    (dict(kind='sound'), "of the kind 'sound'"),
    (dict(kind=3), "has 'kind' of int"),
    (dict(name='../x'), "the name '../x'"),
    (dict(method='\x1b[2J'), 'holds the text'),
    (dict(method='\x9b2J'), 'holds the text'),
    (dict(backbone=dict(type='os.system')), "backbone is a 'os.system', refused"),
    (dict(backbone=dict(type='torch.hub.load')), "'torch.hub.load', refused"),
    (dict(backbone=dict(type='mmengine.Config.fromfile')), 'refused'),
    (dict(backbone=dict(type=['mmaction.ResNet3d'])), 'not a table with a type'),
    (dict(backbone=dict(type='mmact_ssl.OnnxTeacher', path='x')), 'OnnxTeacher.*refused'),
    (dict(backbone=dict(type='mmaction.Recognizer3D')), 'Recognizer3D.*refused'),
    (dict(backbone=dict(RESNET, pretrained='x.pth')), 'backbone.pretrained is refused'),
    (dict(backbone=dict(RESNET, init_cfg=dict(type='X'))), 'backbone.init_cfg is refused'),
    (dict(backbone=dict(RESNET, _scope_='mmdet')), "backbone.'_scope_' is refused"),
    (dict(backbone=dict(RESNET, norm_cfg=dict(type='os.x'))), "backbone.norm_cfg is a 'os.x'"),
    (dict(backbone=dict(RESNET, depht=3)), 'ResNet3d cannot be built with depth, depht'),
    (
        dict(backbone=dict(type='mmact_ssl.TemporalShiftNetwork', model='hf_hub:a/b')),
        "backbone.model is 'hf_hub:a/b', refused",
    ),
    (
        dict(
            backbone=dict(
                type='mmact_ssl.TemporalShiftNetwork',
                model='resnet18',
                model_args=dict(checkpoint_path='x'),
            )
        ),
        'backbone.model_args.checkpoint_path is refused',
    ),
    (dict(backbone=dict(RESNET, base_channels=10**6)), 'base_channels is 1000000, refused'),
    (dict(backbone=dict(RESNET, base_channels=9999)), 'its network is larger than the file'),
    (dict(backbone=dict(RESNET, base_channels=4)), 'weights do not fit'),
    (dict(pipeline=[dict(type='mmaction.TorchVisionWrapper', op='x')]), 'Wrapper.*refused'),
    (dict(pipeline=[dict(type='mmaction.PIMSInit', io_backend='http')]), 'PIMSInit.*refused'),
    (dict(pipeline=[dict(type='builtins.eval')]), r"pipeline\[0\] is a 'builtins.eval'"),
    (dict(pipeline=['x']), r'pipeline\[0\] is not a table'),
    (dict(preprocessor=dict(type='mmaction.PoseDataPreprocessor')), 'refused'),
    (dict(pooling=dict(type='mmact_ssl.MultiTaskPretrainer')), 'refused'),
]


@pytest.mark.parametrize(('values', 'answer'), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_a_forged_card_is_refused_by_name(published, values, answer):
    path = change(published, **values)
    with pytest.raises(CheckpointError, match=answer) as error:
        load_model(path)
    assert str(path) in str(error.value)


def test_other_files_are_refused(published, tmp_path):
    for content in (b'', b'x' * 99, published.read_bytes()[:-9], published.read_bytes()[:400]):
        damaged = tmp_path / 'damaged.safetensors'
        damaged.write_bytes(content)
        with pytest.raises(CheckpointError, match='damaged.safetensors: '):
            load_model(damaged)
    save_file(load_file(published), damaged)
    with pytest.raises(CheckpointError, match='has no card'):
        load_model(damaged)
    with pytest.raises(CheckpointError, match='no.safetensors is missing'):
        load_model(tmp_path / 'no.safetensors')
    with pytest.raises(CheckpointError, match='is not a published .safetensors file'):
        load_model(tmp_path)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_under_the_name_of_a_model_is_not_opened(tmp_path):
    bomb, mark = tmp_path / 'csvr-12345678.safetensors', tmp_path / 'exploded'
    bomb.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(CheckpointError, match='csvr-12345678.safetensors: '):
        load_model(bomb)
    torch.save(dict(state_dict=Bomb(mark)), bomb)
    with pytest.raises(CheckpointError, match='csvr-12345678.safetensors: '):
        load_model(bomb)
    assert not mark.exists()


def test_weights_that_are_not_the_network_are_refused(published):
    weights = load_file(published)
    weights.pop(next(iter(weights)))
    metadata = {CARD_KEY: read_card(published).to_json()}
    save_file(weights, published, metadata=metadata)
    with pytest.raises(CheckpointError, match='1 weights do not fit'):
        load_model(published)
