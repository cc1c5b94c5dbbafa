"""An encoder: all of its weights or one line that says what is wrong, and its features."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.encoders.encoder import Encoder, load_student, pool_features, weights_hash
from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.io.files import sha256_of_file
from mmact_ssl.io.student_file import StudentFile


def is_same(module: nn.Module, other: nn.Module) -> bool:
    """True if two networks have equal weights."""
    values, others = module.state_dict(), other.state_dict()
    return all(torch.equal(value, others[key]) for key, value in values.items())


def test_all_of_the_student_is_loaded(video_encoder, student_checkpoint):
    encoder = Encoder.load(student_checkpoint)
    assert encoder.config == video_encoder
    stored = torch.load(student_checkpoint, weights_only=True)['state_dict']
    for key, value in encoder.backbone.state_dict().items():
        assert torch.equal(value, stored[f'backbone.{key}']), key
    assert not any(module.training for module in encoder.backbone.modules())


def test_the_weights_to_start_from_need_not_be_there(video_encoder, student_checkpoint):
    """Those of the checkpoint take their place; without one they are looked for."""
    started = dict(video_encoder.backbone, pretrained='/no/such/start.pth')
    encoder = replace(video_encoder, backbone=started)
    built = Encoder.build(encoder, StudentFile.read(student_checkpoint))
    assert is_same(built.backbone, Encoder.load(student_checkpoint).backbone)
    with pytest.raises(DataError, match=r'start\.pth'):
        weights_hash(encoder)


@pytest.mark.parametrize(
    ('name', 'part'), [('r3d18-small', ''), ('gru-streams', ''), ('gru-streams', 'encoder')]
)
def test_the_file_of_an_init_cfg_is_a_start_too(name, part, tmp_path):
    encoder, path = read_encoder(name), str(tmp_path / 'start.pth')
    backbone = copy.deepcopy(encoder.backbone)
    network = backbone[part] if part else backbone
    network['init_cfg'] = dict(type='Pretrained', checkpoint=path)
    started = replace(encoder, backbone=backbone)
    student = Encoder.build(encoder).backbone
    state = {key: torch.full_like(value, 3) for key, value in student.state_dict().items()}
    torch.save({f'backbone.{key}': value for key, value in state.items()}, tmp_path / 'a.pth')
    Encoder.build(started, StudentFile.read(tmp_path / 'a.pth'))
    with pytest.raises(DataError, match=r'start\.pth'):
        weights_hash(started)
    start = student.encoders[0] if part else student
    torch.save({key: torch.full_like(v, 3) for key, v in start.state_dict().items()}, path)
    assert weights_hash(started) == sha256_of_file(path)
    found = Encoder.build(started).backbone.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in found.items())


def test_what_does_not_fit_names_the_option_and_loads_nothing(video_encoder, student_checkpoint):
    content = torch.load(student_checkpoint, weights_only=True)
    state, backbone = content['state_dict'], Encoder.build(video_encoder).backbone
    before = copy.deepcopy(backbone)
    del state['backbone.conv1.conv.weight']
    state['backbone.layer5.weight'] = torch.zeros(1)
    state['backbone.conv1.bn.weight'] = torch.zeros(5)
    torch.save(content, student_checkpoint)
    with pytest.raises(CheckpointError, match='3 weights do not fit') as error:
        load_student(backbone, video_encoder, StudentFile.read(student_checkpoint))
    for fault in ('conv1.conv.weight missing≠[16', 'layer5.weight [1]≠', 'bn.weight [5]≠[16]'):
        assert fault in str(error.value)
    assert 'give --encoder' in str(error.value) and '\n' not in str(error.value)
    assert is_same(backbone, before)


@pytest.mark.parametrize(
    ('record', 'message'),
    [
        (None, 'does not record its encoder: give --encoder'),
        (dict(config='/home/me/encoder.py', options={}), 'is not one of the package: give --enc'),
        (dict(config='mmact_ssl::encoders/gru.py', options=dict(persons=10**9)), 'of 1 to 16'),
        (
            dict(config='mmact_ssl::encoders/gru.py', options=dict(layout='ntu')),
            r'student\.pth: there is no layout .ntu.',
        ),
    ],
)
def test_a_file_that_records_no_shipped_encoder_is_refused(record, message, student_checkpoint):
    content = torch.load(student_checkpoint, weights_only=True)
    content['meta']['record']['encoder'] = record
    torch.save(content, student_checkpoint)
    with pytest.raises(CheckpointError, match=message) as error:
        Encoder.load(student_checkpoint)
    assert '\n' not in str(error.value)
    named = Encoder.load(student_checkpoint, 'r3d18-small,side=32')
    assert named.config.options == dict(frames=8, side=32, stride=2)
    with pytest.raises(CheckpointError, match='weights do not fit.* give --encoder'):
        Encoder.load(student_checkpoint, 'gru')


def test_an_encoder_in_place_of_an_encoder_and_one_that_reads_no_frame(video_encoder):
    with pytest.raises(ConfigError, match='gru is an encoder itself: leave out stgcn'):
        Encoder.load('gru', 'stgcn')
    clip = [step for step in video_encoder.clip if 'DecodeFrames' not in step['type']]
    with pytest.raises(ConfigError, match=r'encoder\.clip needs DecodeFrames'):
        _ = Encoder.build(replace(video_encoder, clip=clip)).stages


def test_a_file_without_a_backbone_names_what_is_there(tmp_path):
    torch.save({'encoder.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r"'backbone\.', they begin with encoder: give"):
        Encoder.load(tmp_path / 'a.pth', 'gru')


def test_pooling_averages_positions_then_clips():
    output = torch.arange(2 * 3 * 4 * 1 * 2 * 2, dtype=torch.float32).view(6, 4, 1, 2, 2)
    pooled = pool_features(output, num_clips=3)
    assert pooled.shape == (2, 4)
    assert torch.allclose(pooled, output.view(2, 3, 4, 4).mean(dim=(1, 3)))
    assert torch.equal(pool_features((output * 0, output), 3), pooled), 'the last of several'


def test_the_deviation_over_a_videos_frames_stands_beside_the_mean():
    output = torch.randn(6, 4, 2, 2, dtype=torch.float64)
    pooled = pool_features(output, num_clips=3, deviation=True)
    frames = output.mean(dim=(2, 3)).view(2, 3, 4)
    for video in range(2):
        mean = sum(frames[video]) / 3
        spread = (sum((frame - mean) ** 2 for frame in frames[video]) / 3) ** 0.5
        torch.testing.assert_close(pooled[video], torch.cat([mean, spread]))


@pytest.fixture
def shifting() -> Encoder:
    """An encoder with a shift among 4 frames."""
    pytest.importorskip('timm')
    from mmact_ssl.models.backbones.temporal_shift import TemporalShiftNetwork

    torch.manual_seed(0)
    still = dict(zero_init_last=False)
    network = TemporalShiftNetwork('resnet10t', num_segments=4, model_args=still).eval()
    config = replace(read_encoder('tsm-lite0'), deviation=False, channels=512)
    return Encoder(config, network, nn.Identity())


@torch.no_grad()
def test_several_clips_of_a_video_are_encoded_one_by_one_and_averaged(shifting):
    videos = torch.randn(3, 8, 3, 32, 32)
    found = shifting.encode(videos)
    halves = [shifting.encode(part) for part in videos.split(4, dim=1)]
    torch.testing.assert_close(found, sum(halves) / 2)
    alone = torch.cat([shifting.encode(video[None]) for video in videos])
    torch.testing.assert_close(found, alone)
    spread = replace(shifting, config=replace(shifting.config, deviation=True))
    deviation = spread.encode(videos)[:, found.shape[1] :]
    frames = shifting.backbone(videos.flatten(0, 1)).mean((2, 3)).unflatten(0, (3, 8))
    torch.testing.assert_close(deviation, frames.std(1, correction=0))


@pytest.mark.parametrize('frames', [2, 6, 10])
def test_frames_of_different_videos_do_not_mix(shifting, frames):
    """Two such videos would fill whole clips, the second with the end of the first."""
    videos = torch.randn(2, frames, 3, 32, 32)
    with pytest.raises(
        ConfigError, match=f'num_segments=4 frames, but a sample has {frames}, .*=4'
    ):
        shifting.encode(videos)
    plain = type(shifting.backbone)('resnet10t', num_segments=1).eval()
    assert replace(shifting, backbone=plain).encode(videos).shape == (2, 512)


def test_channels_that_are_not_those_of_the_network_are_named(video_encoder):
    with pytest.raises(ConfigError, match='has 128 values, not 64 by its channels, 64: correct'):
        Encoder.build(replace(video_encoder, channels=64)).encode(torch.zeros(1, 1, 3, 8, 64, 64))
