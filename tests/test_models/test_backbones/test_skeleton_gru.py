"""MS2L's encoder and its streams: their start, their shapes, their reading of padding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.backbones.skeleton_gru import SkeletonGRU, SkeletonStreams
from mmact_ssl.models.necks.skeleton_pooling import SkeletonPooling
from mmact_ssl.registry import MODELS


def make(**settings) -> SkeletonGRU:
    torch.manual_seed(0)
    return SkeletonGRU('jhmdb15', **(dict(num_persons=2, in_channels=2, hidden_size=6) | settings))


def make_clips(lengths: tuple[int, ...] = (7, 3, 1), time: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(len(lengths), 2, time, 15, 2, generator=generator)
    clips[1, 1] = 0  # one person
    return clips * (torch.arange(time) < torch.tensor(lengths)[:, None])[:, None, :, None, None]


def test_starts_as_published():
    """Orthogonal recurrent weights, Xavier-uniform input weights, both whole; no biases."""
    gru = SkeletonGRU('ntu25').gru
    for name, parameter in gru.named_parameters():
        if name.startswith('bias'):
            assert not parameter.any(), name
        elif name.startswith('weight_hh'):
            torch.testing.assert_close(parameter.T @ parameter, torch.eye(300), rtol=0, atol=1e-4)
        else:
            rows, columns = parameter.shape
            bound = math.sqrt(6 / (rows + columns))
            assert parameter.detach().abs().max().item() == pytest.approx(bound, rel=1e-3), name
            assert parameter.detach().std().item() == pytest.approx(
                bound / math.sqrt(3), rel=0.02
            ), name


def test_a_clip_is_encoded_as_if_alone():
    """In the order persons, joints, coordinates; frames of other lengths beside it don't matter."""
    backbone, clips = make(), make_clips()
    feature_map = backbone(clips)
    assert feature_map.shape == (3, 1, 12, 7, 1)
    for b, length in enumerate((7, 3, 1)):
        frames = [
            torch.cat([clips[b, m, t, v] for m in range(2) for v in range(15)])
            for t in range(length)
        ]
        expected = backbone.gru(torch.stack(frames)[None])[0][0]  # (length, 12)
        torch.testing.assert_close(feature_map[b, 0, :, :length, 0].T, expected)
        assert not feature_map[b, 0, :, length:].any()


def test_given_validity_counts_zeroed_frames_as_frames():
    """A masked clip keeps its length; read from its coordinates it would be shorter."""
    backbone, clips = make(), make_clips()
    masked = clips.clone()
    masked[0, :, 5:] = 0
    valid = (clips != 0).flatten(3).any(3)
    told, guessed = backbone(masked, valid), backbone(masked)
    assert bool(told[0, 0, :, 5:].any()) and not guessed[0, 0, :, 5:].any()
    assert torch.equal(told[1:], guessed[1:])
    spoiled = masked.masked_fill(~valid.any(1)[:, None, :, None, None], math.nan)
    assert torch.equal(backbone(spoiled, valid), told)


def test_a_clip_of_another_layout_is_refused_by_name():
    clips = torch.randn(2, 2, 4, 17, 2)
    with pytest.raises(ConfigError, match=r'\(2, 17, 2\) but is built for \(2, 15, 2\): set enc'):
        make()(clips)
    with pytest.raises(ConfigError, match="there is no layout 'kinect'.*'kinect20'"):
        MODELS.build(dict(type='SkeletonGRU', layout='kinect'))


def make_streams(num_streams: int = 3, **settings) -> SkeletonStreams:
    torch.manual_seed(0)
    encoder = dict(type='SkeletonGRU', layout='kinect20', hidden_size=5, **settings)
    return SkeletonStreams(encoder, num_streams)


def make_stream_clips() -> torch.Tensor:
    """Two clips of 6 and 4 frames whose last stream is zero in the last two frames."""
    clips = torch.randn(2, 1, 6, 20, 9, generator=torch.Generator().manual_seed(0))
    clips[1, :, 4:] = 0
    clips[0, :, 4:, :, 6:] = 0
    clips[1, :, 2:, :, 6:] = 0
    return clips


def test_each_stream_has_an_encoder_of_its_own_that_sees_nothing_else():
    backbone, clips = make_streams(), make_stream_clips()
    feature_map = backbone(clips)
    assert feature_map.shape == (2, 1, 30, 6, 1)
    for i, encoder in enumerate(backbone.encoders):
        for b, length in enumerate((6, 4)):
            alone = encoder(
                clips[b : b + 1, :, :length, :, 3 * i : 3 * i + 3],
                torch.ones(1, 1, length, dtype=torch.bool),
            )
            torch.testing.assert_close(
                feature_map[b, :, 10 * i : 10 * i + 10, :length], alone[0], atol=1e-6, rtol=1e-5
            )
        gradient = torch.autograd.grad(
            feature_map[:, :, 10 * i : 10 * i + 10].sum(), encoder.parameters()
        )
        assert all(value.abs().sum() > 0 for value in gradient)
    first = [encoder.gru.weight_hh_l0 for encoder in backbone.encoders]
    assert not torch.equal(first[0], first[1])


def test_the_clips_length_is_that_of_all_streams_together():
    backbone, clips = make_streams(), make_stream_clips()
    told = torch.ones(2, 1, 6, dtype=torch.bool)
    told[1, :, 4:] = False
    assert torch.equal(backbone(clips), backbone(clips, told))
    assert backbone(clips)[0, 0, 20:, 4:].abs().sum() > 0  # no motion, but a frame
    assert not backbone(clips)[1, 0, :, 4:].any()


def test_pooled_inside_or_outside_is_the_same():
    clips = make_stream_clips()
    valid = torch.ones(2, 1, 6, dtype=torch.bool)
    valid[1, :, 4:] = False
    outside = SkeletonPooling('mean_max', streams=3)(make_streams()(clips), valid)
    torch.testing.assert_close(make_streams(pool='mean_max')(clips).flatten(1), outside)
