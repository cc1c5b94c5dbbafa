"""Each family of students becomes an ONNX file that makes torch's features of any batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch.nn.modules.batchnorm import _BatchNorm

from mmact_ssl import __version__
from mmact_ssl.apis.onnx_export import CLIP_KEY, LAYOUT_KEY, export_onnx
from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import ConfigError
from mmact_ssl.io.checkpoint_file import parse_card
from mmact_ssl.io.records import Card
from mmact_ssl.models.skeletons import find_layout

onnx = pytest.importorskip('onnx', reason="pip install 'mmact_ssl[onnx]'")
onnxruntime = pytest.importorskip('onnxruntime', reason="pip install 'mmact_ssl[onnx]'")

SIDE = 32  # of pictures
R3D = {'base_channels': 4}
GRAPH = {
    'network.base_channels': 8,
    'network.num_stages': 3,
    'network.inflate_stages': [2],
    'network.down_stages': [2, 3],
}
# Encoder, what makes its backbone small, C of that, shape of a sample of T frames.
STUDENTS = {
    'r3d18-small': (f'r3d18-small,side={SIDE}', R3D, 32, (3, 3, 'T', SIDE, SIDE)),
    'tsm-lite0': (f'tsm-lite0,side={SIDE}', {}, 1280, ('T', 3, SIDE, SIDE)),
    'gru': ('gru,layout=kinect20', {'hidden_size': 4}, 8, (2, 1, 'T', 20, 3)),
    'gru-streams': (
        'gru-streams,layout=kinect20',
        {'encoder.hidden_size': 4},
        48,
        (2, 1, 'T', 20, 9),
    ),
    'stgcn': ('stgcn,layout=kinect20', GRAPH, 16, (2, 1, 'T', 20, 3)),
    'vit-tiny': (f'vit-tiny,side={SIDE}', {'depth': 2}, 192, (3, 3, 8, SIDE, SIDE)),
    'stt': ('stt,layout=kinect20', {'depth': 2, 'embed_dims': 16}, 16, (2, 1, 16, 20, 3)),
}
CARD = Card('small', {}, *['made'] * 5, '0' * 64, 'float32', '0')


def student(text: str, changes: dict, width: int) -> Encoder:
    """A small encoder with random weights and random running statistics."""
    config = read_encoder(text)
    parts = Config(dict(backbone=config.backbone))
    parts.merge_from_dict({f'backbone.{key}': value for key, value in changes.items()})
    parts.backbone.pop('checkpoint', None)
    encoder = Encoder.build(replace(config, backbone=parts.backbone.to_dict(), channels=width))
    torch.manual_seed(0)
    for layer in encoder.backbone.modules():
        if isinstance(layer, _BatchNorm):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return encoder


def batch(shape: tuple, size: int, frames: int) -> torch.Tensor:
    return torch.randn(size, *(frames if axis == 'T' else axis for axis in shape))


@pytest.fixture(scope='module')
def exported(tmp_path_factory) -> Callable[[str], tuple[Encoder, Path]]:
    """Gives a student and its file by name, and writes each once."""

    @lru_cache
    def find(name: str) -> tuple[Encoder, Path]:
        model = student(*STUDENTS[name][:3])
        return model, export_onnx(model, CARD, tmp_path_factory.mktemp(name))

    return find


def run(path: Path, inputs: torch.Tensor) -> torch.Tensor:
    """Features of a normalized batch by onnxruntime."""
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return torch.from_numpy(session.run(['features'], {'inputs': inputs.numpy()})[0])


@pytest.mark.parametrize('name', STUDENTS)
def test_a_file_makes_the_features_of_torch(name: str, exported):
    model, path = exported(name)
    shape = STUDENTS[name][3]
    for size, length in ((1, 2), (4, 11)):
        # A temporal shift reads whole clips.
        inputs = batch(shape, size, 8 * min(length, 3) if shape[0] == 'T' else length)
        if model.config.is_skeleton and size > 1:
            inputs[1, :, :, 7:] = 0
        with torch.no_grad():
            expected = model.encode(inputs)
        assert expected.shape == (size, model.config.feature_dim)
        assert size == 1 or expected.std(dim=0).max() > 1e-4, 'equal features agree with anything'
        scale = expected.abs().max().clamp(min=1)
        torch.testing.assert_close(run(path, inputs) / scale, expected / scale, rtol=0, atol=1e-5)


def test_padding_of_a_gru_changes_nothing(exported):
    model, path = exported('gru-streams')
    clips = [batch(STUDENTS['gru-streams'][3], 1, length) for length in (9, 5, 1)]
    alone = torch.cat([model.encode(clip) for clip in clips])
    padded = torch.zeros(3, 2, 1, 12, 20, 9)
    for number, clip in enumerate(clips):
        padded[number, :, :, : clip.shape[3]] = clip[0]
    torch.testing.assert_close(run(path, padded), alone, rtol=0, atol=1e-6)


def test_name_and_metadata_are_those_of_a_published_file(exported, tmp_path):
    model, path = exported('gru-streams')
    assert path.name == f'small-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.onnx'
    assert sorted(file.name for file in path.parent.iterdir()) == ['onnx_features.py', path.name]
    metadata = {item.key: item.value for item in onnx.load(path).metadata_props}
    card = parse_card(metadata, str(path))
    assert card == replace(CARD, version=__version__)
    assert json.loads(metadata[CLIP_KEY])['transforms'] == json.loads(json.dumps(model.config.clip))
    layout = find_layout('kinect20')
    assert json.loads(metadata[LAYOUT_KEY]) == dict(
        names=[*layout.names], parents=[*layout.parents]
    )
    assert export_onnx(model, CARD, tmp_path).read_bytes() == path.read_bytes(), (
        'the same file again'
    )
    assert not model.backbone.training


def test_frames_of_two_clips_of_a_shift_do_not_mix(exported):
    with pytest.raises(Exception, match='Reshape'):  # of onnxruntime, without a public class
        run(exported('tsm-lite0')[1], batch(STUDENTS['tsm-lite0'][3], 8, 7))


class Odd(torch.nn.Module):
    """Features that depend on a number that the exporter takes for a constant."""

    def forward(self, clips):
        return clips.flatten(1).mean(1, keepdim=True).expand(-1, 32) * len(clips.tolist())


class Unknown(torch.nn.Module):
    def forward(self, clips):
        return torch.linalg.svdvals(clips.flatten(1).unflatten(1, (32, -1)))


@pytest.mark.parametrize(
    ('network', 'answer'),
    [
        (Odd(), r'for inputs \[3, 1, .*\] the features of onnxruntime differ'),
        (Unknown(), r'torch .* does not write it: .*svdvals'),
    ],
)
def test_what_is_not_the_same_network_is_not_written(network, answer, tmp_path, capfd):
    model = student(*STUDENTS['r3d18-small'][:3])
    model.backbone = network
    capfd.readouterr()  # of mmengine about the config
    with pytest.raises(ConfigError, match=f'^small cannot be an ONNX file.*{answer}') as error:
        export_onnx(model, CARD, tmp_path)
    assert '\n' not in str(error.value)
    assert [*tmp_path.iterdir()] == []
    lines = ''.join(capfd.readouterr()).splitlines()
    assert all('small: ' in line for line in lines), 'torch tells nothing'
