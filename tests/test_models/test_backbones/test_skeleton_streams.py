"""Streams are encoded apart, and a stream that ends in zeros has the clip's length."""

from __future__ import annotations

import torch

from mmact_ssl.models.backbones.skeleton_streams import SkeletonStreams
from mmact_ssl.models.necks.skeleton_pooling import SkeletonPooling


def make(num_streams: int = 3, **settings) -> SkeletonStreams:
    torch.manual_seed(0)
    encoder = dict(type='SkeletonGRU', layout='kinect20', hidden_size=5, **settings)
    return SkeletonStreams(encoder, num_streams)


def make_clips() -> torch.Tensor:
    """Two clips of 6 and 4 frames whose last stream is zero in the last two frames."""
    clips = torch.randn(2, 1, 6, 20, 9, generator=torch.Generator().manual_seed(0))
    clips[1, :, 4:] = 0
    clips[0, :, 4:, :, 6:] = 0
    clips[1, :, 2:, :, 6:] = 0
    return clips


def test_each_stream_has_an_encoder_of_its_own_that_sees_nothing_else():
    backbone, clips = make(), make_clips()
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
    backbone, clips = make(), make_clips()
    told = torch.ones(2, 1, 6, dtype=torch.bool)
    told[1, :, 4:] = False
    assert torch.equal(backbone(clips), backbone(clips, told))
    assert backbone(clips)[0, 0, 20:, 4:].abs().sum() > 0  # no motion, but a frame
    assert not backbone(clips)[1, 0, :, 4:].any()


def test_pooled_inside_or_outside_is_the_same():
    clips = make_clips()
    valid = torch.ones(2, 1, 6, dtype=torch.bool)
    valid[1, :, 4:] = False
    outside = SkeletonPooling('mean_max', streams=3)(make()(clips), valid)
    torch.testing.assert_close(make(pool='mean_max')(clips).flatten(1), outside)
