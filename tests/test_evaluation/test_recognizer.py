"""An encoder in mmaction2's recognizer, and what its Runner reads."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from mmengine.registry import init_default_scope

from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.recognizer import build_recognizer, make_runner
from mmact_ssl.evaluation.recognizer_config import read_evaluation
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.models.encoding import check_sampling


def test_a_seed_is_a_recognizer(linear_config, video_encoder):
    init_default_scope('mmaction')
    torch.manual_seed(0)
    weights = [build_recognizer(linear_config, video_encoder, seed).state_dict() for seed in (1, 2)]
    after = torch.rand(1)
    again = build_recognizer(linear_config, video_encoder, 1).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in weights[0].items())
    for part in ('backbone.conv1.conv.weight', 'cls_head.fc_cls.weight'):
        assert not torch.equal(weights[0][part], weights[1][part])
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1)), 'building drew from the global generator'


def test_initial_weights_that_a_student_replaces_need_not_exist(
    linear_config, video_encoder, student_checkpoint
):
    init_default_scope('mmaction')
    saved = StudentFile.read(student_checkpoint)
    expected = build_recognizer(linear_config, video_encoder, 0, saved).state_dict()
    linear_config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='gone.pth')
    found = build_recognizer(linear_config, video_encoder, 0, saved).state_dict()
    assert all(torch.equal(value, found[key]) for key, value in expected.items())
    with pytest.raises(CheckpointError, match='gone.pth is missing'):
        build_recognizer(linear_config, video_encoder, 0)


def test_fine_tuning_and_the_test_of_a_classifier_read_whole_clips(labeled_world, tmp_path):
    pytest.importorskip('timm')
    lite0 = read_encoder('tsm-lite0')
    args = dict(model='resnet10t', num_segments=4, model_args=dict(zero_init_last=False))
    backbone = dict(type='mmact_ssl.TemporalShiftNetwork', **args)
    cfg, encoder = read_evaluation(
        replace(lite0, backbone=backbone, channels=512), data=str(labeled_world)
    )
    init_default_scope('mmaction')
    recognizer = build_recognizer(cfg, encoder, 0)
    cfg.test_dataloader.dataset.pipeline[1].num_clips = 4
    cfg.train_dataloader.dataset.pipeline[1].num_clips = 10
    repeated = copy.deepcopy(cfg)
    dataset = repeated.train_dataloader.dataset
    repeated.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dataset)
    for config in (cfg, repeated):
        with pytest.raises(ConfigError, match='train_dataloader: the student .* a sample has 10'):
            make_runner(config, recognizer, str(tmp_path), train=True)
    make_runner(cfg, recognizer, str(tmp_path))  # trains nothing
    cfg.test_dataloader.dataset.pipeline[1].num_clips = 2
    with pytest.raises(ConfigError, match='test_dataloader: the student .* a sample has 2'):
        make_runner(cfg, recognizer, str(tmp_path))


def test_dense_clips_count_with_their_length_and_an_unknown_transform_is_left_alone():
    check_sampling(8, [dict(type='a'), dict(clip_len=8, num_clips=3)], '')
    check_sampling(8, [dict(type='mine')], '')
    with pytest.raises(ConfigError, match='a sample has 12'):
        check_sampling(8, [dict(clip_len=4, num_clips=3)], '')
