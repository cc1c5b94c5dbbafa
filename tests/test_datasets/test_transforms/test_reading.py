"""One reader: every door of the package gives the frames that a decode in order gives."""

from __future__ import annotations

import itertools
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import numpy as np
import pytest
from mmengine.config import Config
from torch import nn

from mmact_ssl.apis.card import Card
from mmact_ssl.apis.clips import find_clips
from mmact_ssl.apis.feature_inferencer import FeatureInferencer
from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.datasets.seeded_samples import build_pipeline as build_views
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.parts import build_pipeline
from mmact_ssl.visualization.pages import FRAMES, clip_frames
from tests.helpers.videos import index_of, video_cases, write_video
from tests.shipped import load

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
    card = cast(Card, SimpleNamespace(kind='video', layout='', pipeline=[OPENED, *steps, DECODED]))
    model = PretrainedModel(nn.Identity(), nn.Identity(), None, card, sha256='', path='')
    return FeatureInferencer(model, device='cpu', show_progress=False)


def training(path):
    clip = dict(num_frames=6, stride=2)
    views = dict(clip=clip, clip_b=dict(num_frames=5, segments=True))
    steps = [dict(type='SampleViews', **views), dict(type='DecodeViews', short_side=None)]
    results = build_views(steps)(sample_of(path))
    for view, frames in results['views'].items():
        yield results['frame_inds'][view], frames


@cache
def downstream() -> Config:
    return load('downstream/r3d18-small.py@jhmdb')


def evaluation(path):
    cfg = downstream()
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        steps = loader.dataset.pipeline
        end = [step['type'] for step in steps].index(DECODED['type']) + 1
        results = build_pipeline([step.to_dict() for step in steps[:end]])(sample_of(path))
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
    pipeline = load(f'downstream/{config}.py@jhmdb').test_dataloader.dataset.pipeline
    steps = [step.to_dict() for step in pipeline[:-2]]
    evaluated = build_pipeline(steps)(sample_of(path))['imgs'][0]
    given = build_pipeline(steps)(dict(sample_of(path), array=array, total_frames=2))['imgs'][0]
    for frame in (evaluated, given):
        assert frame.std() < 1 and frame.mean() == pytest.approx(85, abs=1)


def test_frames_are_only_scaled_down(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (2, 300, 450, 3), dtype=np.uint8)
    given = dict(array=frames, frame_inds=np.array([1, 0, 1]))
    (one, *_) = build_pipeline([DECODED])(dict(given))['imgs']
    assert one.shape == (256, 384, 3)
    for short_side in (None, 300, 900):
        results = build_pipeline([dict(DECODED, short_side=short_side)])(dict(given))
        np.testing.assert_array_equal(results['imgs'], frames[[1, 0, 1]])
    blocks = build_pipeline([dict(DECODED, short_side=100)])(dict(given))['imgs']
    exact = frames.reshape(2, 100, 3, 150, 3, 3).mean((2, 4), dtype=float)[[1, 0, 1]]
    np.testing.assert_allclose(blocks, exact, atol=0.51)


def test_no_pipeline_names_a_decoder_of_mmaction2():
    decoders = re.compile(r"'(mmaction\.)?(Decord|PyAV|OpenCV|PIMS)(Init|Decode)'|VideoCapture")
    files = [*ROOT.glob('configs/**/*.py'), *ROOT.glob('mmact_ssl/**/*.py')]
    assert len(files) > 300
    assert [file.name for file in files if decoders.search(file.read_text())] == []


def test_frames_share_no_memory(tmp_path):
    path = write_video(tmp_path / 'a.mp4', num_frames=4)
    (clip,) = find_clips(str(path), 'video')
    ((_, results),) = inferencer_of(SAMPLED)._samples(clip, None, None)
    assert len(set(results['frame_inds'].tolist())) < len(results['imgs']) == 10
    again = [frame.copy() for frame in results['imgs']]
    results['imgs'][0][:] = 0
    for frame, before in zip(results['imgs'][1:], again[1:]):
        np.testing.assert_array_equal(frame, before)
    assert results['img_shape'] == results['original_shape'] == (120, 160)


def test_a_reader_is_closed_when_its_frames_are_decoded(tmp_path):
    results = build_pipeline([OPENED])(sample_of(write_video(tmp_path / 'a.mp4', num_frames=4)))
    reader = results['video_reader']
    assert results['total_frames'] == 4 and results['avg_fps'] == pytest.approx(25)
    results['frame_inds'] = np.array([[3], [0]])
    results = build_pipeline([DECODED])(results)
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
