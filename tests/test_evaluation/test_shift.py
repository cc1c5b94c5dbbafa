"""A shift in time stays within the clips of one video, however many frames are read of it."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmact_ssl.apis.publish import make_card
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.features import encode
from mmact_ssl.evaluation.recognizer_runner import make_runner
from mmact_ssl.evaluation.student import build_recognizer
from mmact_ssl.models.backbones.temporal_shift import TemporalShiftNetwork
from mmact_ssl.models.encoding import check_sampling
from tests.conftest import NUM_CLASSES
from tests.shipped import load
from tests.test_apis.conftest import KNOWN

pytest.importorskip('timm')

NETWORK = dict(model='resnet10t', num_segments=4, model_args=dict(zero_init_last=False))
FEW = 'test_dataloader.dataset.pipeline.1.num_clips'


@pytest.fixture
def network() -> TemporalShiftNetwork:
    torch.manual_seed(0)
    return TemporalShiftNetwork(**NETWORK).eval()


@pytest.fixture
def config(labeled_world) -> Config:
    """Fine-tuning of a small network with a shift among 4 frames on the made world."""
    cfg = load('downstream/tsm-lite0.py@jhmdb', [f'{FEW}=4'])
    cfg.model.backbone = dict(type='mmact_ssl.TemporalShiftNetwork', **NETWORK)
    cfg.model.cls_head.update(in_channels=512, num_classes=NUM_CLASSES)
    for split in ('train', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.ann_file = str(labeled_world / f'{split}.txt')
        dataset.data_prefix = dict(video=str(labeled_world))
    cfg.train_cfg.max_epochs = 1
    init_default_scope('mmaction')
    return cfg


@torch.no_grad()
def test_several_clips_of_a_video_are_encoded_one_by_one_and_averaged(network):
    videos = torch.randn(3, 8, 3, 32, 32)
    found = encode(network, videos)
    halves = [encode(network, part) for part in videos.split(4, dim=1)]
    torch.testing.assert_close(found, sum(halves) / 2)
    alone = torch.cat([encode(network, video[None]) for video in videos])
    torch.testing.assert_close(found, alone)
    deviation = encode(network, videos, deviation=True)[:, found.shape[1] :]
    frames = network(videos.flatten(0, 1)).mean((2, 3)).unflatten(0, (3, 8))
    torch.testing.assert_close(deviation, frames.std(1, correction=0))


@pytest.mark.parametrize('frames', [2, 6, 10])
def test_frames_of_different_videos_do_not_mix(network, frames):
    """Two such videos would fill whole clips, the second with the end of the first."""
    videos = torch.randn(2, frames, 3, 32, 32)
    with pytest.raises(
        ConfigError, match=f'num_segments=4 frames, but a sample has {frames}, .*=4'
    ):
        encode(network, videos)
    plain = TemporalShiftNetwork('resnet10t', num_segments=1).eval()
    assert encode(plain, videos).shape == (2, 512)


def test_fine_tuning_and_the_test_of_a_classifier_read_whole_clips(config, tmp_path):
    recognizer = build_recognizer(config, 0)
    config.train_dataloader.dataset.pipeline[1].num_clips = 10
    repeated = copy.deepcopy(config)
    dataset = repeated.train_dataloader.dataset
    repeated.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dataset)
    for cfg in (config, repeated):
        with pytest.raises(ConfigError, match='train_dataloader: the student .* a sample has 10'):
            make_runner(cfg, recognizer, str(tmp_path), train=True)
    make_runner(config, recognizer, str(tmp_path))  # trains nothing
    config.test_dataloader.dataset.pipeline[1].num_clips = 2
    with pytest.raises(ConfigError, match='test_dataloader: the student .* a sample has 2'):
        make_runner(config, recognizer, str(tmp_path))


def test_a_model_that_would_mix_videos_is_not_published(config):
    make_card(config, **KNOWN)
    config.test_dataloader.dataset.pipeline[1].num_clips = 10
    with pytest.raises(ConfigError, match=r'cannot be published, give .*num_segments=4 .* has 10'):
        make_card(config, **KNOWN)
    del config.model.backbone.num_segments
    with pytest.raises(ConfigError, match=r'num_segments=8 .* has 10'):
        make_card(config, **KNOWN)


def test_dense_clips_count_with_their_length_and_an_unknown_transform_is_left_alone():
    check_sampling(8, [dict(type='a'), dict(clip_len=8, num_clips=3)], '')
    check_sampling(8, [dict(type='mine')], '')
    with pytest.raises(ConfigError, match='a sample has 12'):
        check_sampling(8, [dict(clip_len=4, num_clips=3)], '')
