"""The teacher of motion: pairs of frames a fixed time apart, cached and online, under any view."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmact_ssl.datasets.motion import SHAPE, at_gap, describe_pair, pair_frames
from mmact_ssl.datasets.transforms.formatting import PackInputs
from mmact_ssl.datasets.transforms.views import DecodeViews, SampleViews
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.targets import LoadTargets
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from mmact_ssl.targets.run_teachers import run_teachers
from mmact_ssl.targets.values import spread
from tests.helpers.heads import keep, make_pretrainer


@pytest.fixture(scope='module')
def teacher():
    return build_teacher('configs/teachers/optical_flow.py')


def slow_targets(path):
    """The target of each frame, pair by pair."""
    with VideoReader(path) as reader:
        frames, seconds = reader.read(range(reader.total_frames)), reader.seconds
    values = []
    for first, second in pair_frames(seconds).tolist():
        described = describe_pair(frames[first], frames[second])
        still = np.zeros(SHAPE, np.float32)
        between = np.array([seconds[second] - seconds[first]])
        values.append(at_gap((still if described is None else described)[None], between)[0])
    return np.stack(values)


@pytest.mark.parametrize('rate', [15, 24, 60])
def test_one_pass_gives_the_pairs_of_every_frame(teacher, tmp_path, make_video, rate):
    times = [600 * index // rate for index in range(20)]
    path = make_video(tmp_path / f'{rate}.mp4', num_frames=20, times=times)
    wanted = slow_targets(path)
    assert wanted.std() > 0.01
    for every in (1, 4):
        total, found = run_teachers([teacher, teacher], path, batch_size=7, every=every)
        assert total == 20
        for values in found:
            np.testing.assert_allclose(values, wanted[spread(20, every)], atol=1e-6)


@pytest.fixture(scope='module')
def sample(teacher, tmp_path_factory, make_video):
    """Makes packed samples of a view with cached targets; their video is an attribute."""
    root = tmp_path_factory.mktemp('motion')
    video = make_video(root / 'a.mp4', num_frames=24, times=range(0, 480, 20))
    extract_many([ExtractionJob(teacher, root / 'a.lmdb')], root, [video.name])
    load = LoadTargets('motion', f'{root}/a.lmdb', layout=None, kind='map').bind('', str(root))

    def make(**clip):
        np.random.seed(0)
        results = dict(filename=str(video))
        for step in (SampleViews(clip), load, DecodeViews(None), PackInputs(('clip',))):
            results = step(results)
        return results

    make.video = video
    return make


def online(samples):
    """A step of training with the teacher, and its targets."""
    model = make_pretrainer(
        dict(reader=keep(pooled='clip.pooled', aim='targets.clip.motion')),
        teachers=dict(motion=dict(teacher=dict(type='OpticalFlowTeacher'), views=('clip',))),
    )
    model(**model.data_preprocessor(pseudo_collate(samples)), mode='loss')
    return model, model.heads['reader'].given['aim']


def test_cached_equals_online(sample):
    samples = [sample(num_frames=2, stride=stride) for stride in (2, 3, 2)]
    cached = torch.stack([part['targets']['clip']['motion'][0] for part in samples])
    model, found = online(samples[::2])
    torch.testing.assert_close(found[:, 0], cached[::2], rtol=1e-5, atol=1e-5)
    assert cached.std() > 1e-3
    assert not [*model.teachers.parameters()] and not model.teachers.state_dict()


@pytest.mark.parametrize('clip', [dict(num_frames=2, stride=9), dict(num_frames=4, stride=2)])
def test_frames_that_are_no_pair_are_refused_online(sample, clip):
    with pytest.raises(ConfigError, match=r'model\.teachers\.motion, .* num_frames=2 and a stride'):
        online([sample(**clip)])


def test_a_stride_takes_other_pairs(sample):
    values = slow_targets(sample.video)
    for stride in (1, 3):
        part = sample(num_frames=6, stride=stride)
        inds = part['data_samples'].frame_inds['clip']
        assert np.diff(inds).tolist() == [stride] * 5
        np.testing.assert_allclose(part['targets']['clip']['motion'], values[inds], atol=1e-6)
