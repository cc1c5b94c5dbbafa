"""The encoder with motion: the network's features beside the descriptor, by every way to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.datasets.motion import describe_clip, describe_pair, pair_frames
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.encoders.encoder import Encoder, without_initial_weights
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.evaluate import check_inputs, evaluate
from mmact_ssl.evaluation.features import extract_features
from mmact_ssl.evaluation.protocols.base import ProtocolInput
from tests.conftest import small_config
from tests.helpers.students import write_student


@pytest.fixture(scope='module')
def student(tmp_path_factory):
    """A checkpoint that records tsm-lite0, with random weights."""
    pytest.importorskip('timm')
    config = read_encoder('tsm-lite0')
    config = replace(config, backbone=without_initial_weights(config.backbone))
    return write_student(tmp_path_factory.mktemp('student') / 'student.pth', config)


@pytest.fixture(scope='module')
def encoder(student):
    return Encoder.load(student, 'tsm-lite0-motion')


def slow_motion(path, start, stop, motion):
    """The descriptor's part of a feature, of the frames from ``start`` on."""
    with VideoReader(path) as reader:
        frames, seconds = reader.read(range(reader.total_frames)), reader.seconds[start:stop]
    pairs = np.unique(pair_frames(seconds), axis=0)
    pairs = pairs[[round(place) for place in np.linspace(0, len(pairs) - 1, min(16, len(pairs)))]]
    described = [describe_pair(frames[start + a], frames[start + b]) for a, b in pairs]
    values = describe_clip(described, np.ptp(seconds[pairs], 1)) - np.repeat(motion['center'], 128)
    return motion['weight'] * values / np.linalg.norm(values)


def test_it_joins_the_features_of_tsm_lite0_and_the_motion(student, encoder, make_video, tmp_path):
    path = make_video(tmp_path / 'a.mp4', num_frames=40)
    found = FeatureInferencer(encoder)(path)['features']
    assert found.shape == (1, encoder.config.feature_dim) == (1, 3328)
    plain = FeatureInferencer(student)(path)['features'][0]
    np.testing.assert_allclose(found[0, :2560], plain / np.linalg.norm(plain), atol=1e-5)
    wanted = slow_motion(path, 0, 40, encoder.config.motion)
    np.testing.assert_allclose(found[0, 2560:], wanted, atol=1e-5)
    with VideoReader(path) as reader:
        frames = np.stack([*reader.read(range(40)).values()])
    features = FeatureInferencer(encoder)([frames, frames[:1]])['features']  # of 30 a second
    assert np.isfinite(features).all() and features[0, 2560:] @ wanted > 0.9 * (wanted @ wanted)


def test_the_motion_of_a_window_is_that_of_its_frames(encoder, make_video, tmp_path, capfd):
    embed, cut = FeatureInferencer(encoder), dict(window=1.2, stride=0.6, return_windows=True)
    for height in (120, 300):  # DecodeFrames shrinks the larger ones
        path = make_video(tmp_path / f'{height}.mp4', num_frames=60, height=height)  # 25 a second
        for row, start in zip(embed(path, **cut)['features'], (0, 15, 30), strict=True):
            wanted = slow_motion(path, start, start + 30, encoder.config.motion)
            np.testing.assert_allclose(row[2560:], wanted, atol=1e-5)
    embed(make_video(tmp_path / 'slow.mp4', num_frames=3, times=[0, 120, 240]))
    assert 'slow.mp4: has 5.0 frames per second, and motion' in ''.join(capfd.readouterr())


def test_evaluation_has_the_features_of_the_inferencer(encoder, labeled_world):
    cfg = small_config(encoder.config, labeled_world)
    inputs = ProtocolInput(cfg, encoder.config, None, *read_splits(cfg))
    found = extract_features(cfg, encoder, 'test', inputs.test)
    paths = [f'{inputs.test.root}/{name}' for name in inputs.test.names]
    embedded = FeatureInferencer(encoder)(paths)['features']
    np.testing.assert_allclose(found.values, embedded, atol=1e-5)
    check_inputs(inputs, ['linear'])
    inputs = replace(inputs, train=inputs.test, extracted=dict(train=found, test=found))
    plain = replace(inputs, encoder=replace(encoder.config, motion=None))
    first, second = (next(evaluate(i, ['knn'], '')) for i in (inputs, plain))
    assert first.config_hash != second.config_hash
    with pytest.raises(ConfigError, match='finetune trains the network without the descriptor'):
        check_inputs(inputs, ['finetune'])
