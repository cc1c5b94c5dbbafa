"""One reader: every door of the package gives the frames that a decode in order gives."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from mmengine.config import Config
from torch import nn

from mmact_ssl.apis.clips import find_clips
from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.configs.encoder_config import read_encoder
from mmact_ssl.datasets.seeded_samples import build_pipeline as build_views
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.encoders.encoder import Encoder, build_transforms
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.preparation import small_copies
from mmact_ssl.visualization.pages import FRAMES, clip_frames
from tests.helpers.videos import index_of, video_cases, write_video
from tests.shipped import load_evaluation

CASES = video_cases()
# Where an index is not the place of a packet; test_video_reader.py reads all cases by itself.
DOUBTFUL = (
    *('h264.mp4', 'h264_open_headless.ts', 'h264_edits.mp4', 'h264_fields.ts', 'h264_gaps.avi'),
    *('h264_two.mp4', 'h264_variable.mkv', 'hevc_open_cut.mkv', 'gif_variable.gif', 'raw.h264'),
    *('mpeg2.mpg', 'mpeg4_sizes.mkv', 'vp8_hidden.webm'),
)
ROOT = Path(__file__).parents[3]
OPENED = dict(type='mmact_ssl.ReadVideo')
SAMPLED = dict(type='mmaction.SampleFrames', clip_len=5, frame_interval=3, num_clips=2)
DECODED = dict(type='mmact_ssl.DecodeFrames')


def shown_by(path):
    """Indices that the frames carry, decoded plainly from the first key packet on."""
    with av.open(str(path)) as container:
        packets = itertools.dropwhile(lambda p: not p.is_keyframe, container.demux(video=0))
        frames = [frame for packet in packets for frame in packet.decode()]
        return [index_of(frame.to_ndarray(format='rgb24')) for frame in frames]


def sample_of(path):
    return dict(filename=str(path), start_index=0, modality='RGB', label=0)


def inferencer_of(*steps) -> FeatureInferencer:
    """An inferencer whose samples are the decoded frames."""
    config = replace(read_encoder('r3d18-small'), clip=[OPENED, *steps, DECODED])
    model = Encoder(config, nn.Identity(), nn.Identity())
    return FeatureInferencer(model, show_progress=False)


def training(path):
    clip = dict(num_frames=6, stride=2)
    views = dict(clip=clip, clip_b=dict(num_frames=5, segments=True))
    steps = [dict(type='SampleViews', **views), dict(type='DecodeViews', short_side=None)]
    results = build_views(steps)(sample_of(path))
    for view, frames in results['views'].items():
        yield results['frame_inds'][view], frames


@cache
def fine_tuning() -> Config:
    return load_evaluation('r3d18-small', 'jhmdb')


def evaluation(path):
    cfg = fine_tuning()
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        steps = loader.dataset.pipeline
        end = [step['type'] for step in steps].index(DECODED['type']) + 1
        results = build_transforms([step.to_dict() for step in steps[:end]])(sample_of(path))
        yield results['frame_inds'], results['imgs']


def inference(path):
    inferencer = inferencer_of(SAMPLED)
    (clip,) = find_clips(str(path), 'video')
    for options in ((None, None), (0.3, 0.2)):
        for _, results in inferencer._samples(clip, *options):
            yield results['frame_inds'], results['imgs']


DOORS = [training, evaluation, inference]


@pytest.mark.parametrize('name', DOUBTFUL)
def test_all_doors_give_the_frames_of_a_decode_in_order(name, tmp_path):
    path = CASES[name](tmp_path / f'video{Path(name).suffix}')
    expected = np.array(shown_by(path))
    assert len(set(expected.tolist())) > 3
    np.random.seed(0)
    for door in DOORS:
        for _ in range(3):
            for frame_inds, frames in door(path):
                found = [index_of(frame) for frame in frames]
                assert found == expected[frame_inds].tolist(), door.__name__
    (clip,) = find_clips(str(path), 'video')
    times = np.linspace(0, len(expected) - 1, FRAMES).round().astype(int)
    found = [index_of(frame) for frame in clip_frames(clip)]
    assert found == expected[list(dict.fromkeys(times.tolist()))].tolist()


def test_all_doors_make_pixels_square(tmp_path, monkeypatch):
    path = write_video(tmp_path / 'a.ts', num_frames=40, pixels=Fraction(64, 45))
    for door in DOORS:
        for frame_inds, frames in door(path):
            assert {frame.shape for frame in frames} == {(120, 228, 3)}, door.__name__
            assert [index_of(frame) for frame in frames] == frame_inds.ravel().tolist()
    (clip,) = find_clips(str(path), 'video')
    assert {frame.shape for frame in clip_frames(clip)} == {(112, 212, 3)}
    monkeypatch.setattr(small_copies, 'SHORT_SIDE', 64)
    small_copies.copy_video(path, tmp_path / 'copy.mp4')
    with VideoReader(tmp_path / 'copy.mp4') as reader:
        assert reader.read([7])[7].shape == (64, 120, 3)


def write_stripes(path):
    """Two frames of 1023 x 768 pixels; every third column is white, and lossless."""
    image = np.zeros((768, 1023, 3), np.uint8)
    image[:, 2::3] = 255
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.width, stream.height, stream.pix_fmt = 1023, 768, 'bgr0'
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())
    return path, np.stack([image, image])


@pytest.mark.parametrize('config', ['r3d18-small', 'r3d18', 'tsm-lite0'])
def test_all_doors_average_the_pixels_of_large_frames(config, tmp_path):
    path, array = write_stripes(tmp_path / 'a.mkv')
    views = [dict(type='SampleViews', clip=dict(num_frames=2, stride=1)), dict(type='DecodeViews')]
    trained = build_views(views)(sample_of(path))['views']['clip'][0]
    assert trained.mean() == pytest.approx(85, abs=1)
    steps = read_encoder(config).clip[:-2]
    evaluated = build_transforms(steps)(sample_of(path))['imgs'][0]
    given = build_transforms(steps)(dict(sample_of(path), array=array, total_frames=2))['imgs'][0]
    for frame in (evaluated, given):
        assert frame.std() < 1 and frame.mean() == pytest.approx(85, abs=1)


def test_frames_are_only_scaled_down(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (2, 300, 450, 3), dtype=np.uint8)
    given = dict(array=frames, frame_inds=np.array([1, 0, 1]))
    (one, *_) = build_transforms([DECODED])(dict(given))['imgs']
    assert one.shape == (256, 384, 3)
    for short_side in (None, 300, 900):
        results = build_transforms([dict(DECODED, short_side=short_side)])(dict(given))
        np.testing.assert_array_equal(results['imgs'], frames[[1, 0, 1]])
    blocks = build_transforms([dict(DECODED, short_side=100)])(dict(given))['imgs']
    exact = frames.reshape(2, 100, 3, 150, 3, 3).mean((2, 4), dtype=float)[[1, 0, 1]]
    np.testing.assert_allclose(blocks, exact, atol=0.51)


def test_a_reader_is_closed_when_its_frames_are_decoded(tmp_path):
    results = build_transforms([OPENED])(sample_of(write_video(tmp_path / 'a.mp4', num_frames=4)))
    reader = results['video_reader']
    assert results['total_frames'] == 4 and results['avg_fps'] == pytest.approx(25)
    results['frame_inds'] = np.array([[3], [0]])
    results = build_transforms([DECODED])(results)
    assert [index_of(frame) for frame in results['imgs']] == [3, 0]
    assert 'video_reader' not in results
    with pytest.raises((BrokenSampleError, AssertionError, ValueError)):
        reader.read([1])


# 10, 2 and 10 frames a second.
STAMPS = [*range(0, 1200, 60), *range(1200, 2400, 300), *range(2400, 3600, 60)]


@pytest.mark.parametrize('suffix', ['mp4', 'mkv'])
def test_windows_hold_the_frames_shown_in_their_seconds(suffix, tmp_path):
    path = write_video(tmp_path / f'a.{suffix}', num_frames=len(STAMPS), times=STAMPS)
    (clip,) = find_clips(str(path), 'video')
    all_frames = dict(type='mmaction.SampleFrames', clip_len=1, num_clips=30, test_mode=True)
    times = np.array(STAMPS) / 600
    windows = list(inferencer_of(all_frames)._samples(clip, 0.8, 0.35))
    assert [span for span, _ in windows][:3] == [(0, 0.8), (0.35, 1.15), (0.7, 1.5)]
    assert windows[-1][0][1] == pytest.approx(6.0, abs=0.02)
    ends = np.append(times[1:], np.inf)
    for (start, stop), results in windows:
        expected = np.flatnonzero((times < stop - 1e-3) & (ends > start + 1e-3)).tolist()
        assert sorted({index_of(frame) for frame in results['imgs']}) == expected
