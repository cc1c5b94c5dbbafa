"""research/benchmark.py runs and reports what it measured."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import torch

from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import MODELS


@pytest.fixture
def module(tool, monkeypatch):
    """Imports a module of research/benchmarks; generated videos are short and small."""
    made_data = importlib.import_module('made_data')
    make = made_data.make_videos

    def make_small(folder, count, size=(96, 64), num_frames=80):
        return make(folder, count, (96, 64), 80)

    for name in ('made_data', 'startup_speed', 'teacher_speed', 'extract_speed'):
        monkeypatch.setattr(importlib.import_module(name), 'make_videos', make_small)
    return importlib.import_module


@pytest.fixture
def run_benchmark(tool, module, tmp_path):
    """Run a mode; gives the results that it wrote."""

    def run(mode: str, *options: str) -> list[dict]:
        out = tmp_path / 'figures' / f'{mode}.json'
        tool.main([mode, *options, '--cache', str(tmp_path / 'cache'), '--json', str(out)])
        figures = json.loads(out.read_text())
        assert figures['benchmark'] == mode and figures['versions']['torch']
        return figures['results']

    return run


def test_data_on_given_files(run_benchmark, module, tmp_path, make_video):
    pytest.importorskip('decord', reason='mmaction2 reads its side of the comparison with decord')
    paths = [str(make_video(tmp_path / f'{i}.mp4', num_frames=80, gop=20)) for i in range(2)]
    sample, keyframes = run_benchmark('data', '--videos', *paths, '--samples', '2')
    assert '160x120' in sample['title'] and sample['target'] is None
    ours, theirs = sample['ways']['ours'], sample['ways']['mmaction2']
    views = {'clip': [3, 16, 112, 112], 'future': [3, 16, 112, 112], 'keyframes': [3, 3, 112, 112]}
    assert ours['results'] == [views] * 2
    assert [made['shape'] for made in theirs['results']] == [[1, 3, 32, 112, 112]] * 2
    (tmp_path / 'train.txt').write_text('0.mp4\n1.mp4\n')
    draw = module('data_speed').samples(tmp_path, 2, module('data_speed').OURS[:1])
    for number, made in enumerate(theirs['results'], start=1):  # 0 warms up
        drawn = draw(number)
        drawn['video_reader'].close()
        views = drawn['frame_inds']
        assert made['frames'] == [*views['clip'].tolist(), *views['future'].tolist()]
    ratio = np.median(np.divide(theirs['cpu_seconds'], ours['cpu_seconds']))
    assert ours['cpu_seconds_ratio']['median'] == pytest.approx(ratio)
    assert keyframes['ways']['I-frames']['results'] == [3]
    assert keyframes['ways']['whole video']['results'] == [80]


def test_a_missing_file_is_one_line(tool, tmp_path):
    with pytest.raises(SystemExit, match=r'^error: .*gone\.mp4'):
        tool.main(['data', '--videos', str(tmp_path / 'gone.mp4')])


def test_skeletons(run_benchmark):
    (found,) = run_benchmark('skeletons', '--clips', '3', '--rounds', '1')
    assert found['ways']['ours']['results'] == [[2, 64, 25, 3]]
    assert found['ways']['mmaction2']['results'] == [[2, 64, 25, 3]]


def test_steps_of_a_method_on_videos_and_of_one_on_skeletons(run_benchmark):
    options = ('--clips', '2', '--skeletons', '2', '--steps', '1')
    video, skeleton = run_benchmark('step', '--methods', 'csvr', 'c2vl', *options)
    for found, tasks in (
        (video, ('pose', 'context', 'current', 'future')),
        (skeleton, ('prompts',)),
    ):
        (method,) = set(found['ways']) - {'supervised'}
        (losses,) = found['ways'][method]['results']
        assert all(any(name.startswith(f'{task}/loss') for name in losses) for task in tasks)
        assert all(np.isfinite(value) for value in losses.values())
        (losses,) = found['ways']['supervised']['results']
        assert 0 < losses['loss_cls'] < 2 * np.log(400)


def test_ways_of_a_gpu_are_one_training(run_benchmark, module, monkeypatch):
    """Here without a GPU, so that mixed precision is left out."""
    for name in ('enable_mixed_precision', 'check_gpu'):
        monkeypatch.setattr(module('gpu_speed'), name, lambda *cfg: None)
    few = ('--clips', '2', '--batches', '2', '--steps', '2', '--rounds', '1', '--seconds', '0.1')
    few += ('--layers', '1', '--side', '32', '--windows', '2')
    recipes = ('dtg_r3d18-small.py', 'ms2l_gru.py')
    video, skeleton, *networks = run_benchmark('gpu', '--recipes', *recipes, *few, '--workers', '1')
    for found, frames in zip(networks, (16, 64), strict=True):
        assert found['frames'] == frames and found['error'] < 0.01
        assert all(len(rates) == 1 and rates[0] > 0 for rates in found['rates'].values())
    assert video['loader'] > 0 and video['clips'] == 2
    assert list(skeleton['ways']) == ['float32', 'amp'], 'mmaction2 has no GRU'
    ways = video['ways']
    assert {'supervised', 'supervised-channels-last', 'float32', 'channels-last'} <= set(ways)
    for name, found in ways.items():
        assert len(found['seconds']) == 1 and min(found['seconds']) > 0
        first = 'supervised' if name.startswith('supervised') else 'float32'
        expected = ways[first]['losses'][0][0]
        assert found['losses'][0][0] == pytest.approx(expected, rel=1e-3), name


def test_padding_that_the_gru_reads_changes_ms2l(run_benchmark):
    (found,) = run_benchmark('step', '--methods', 'ms2l', '--skeletons', '2', '--steps', '1')
    (ours,), (padded,) = (way['results'] for way in found['ways'].values())
    assert found['faster'] and set(ours) == set(padded)
    # Both are of one seed, and would be equal up to rounding.
    assert ours['jigsaw/loss'] != pytest.approx(padded['jigsaw/loss'], rel=0.01)


@MODELS.register_module()
class NoiseTeacher(BaseTeacher):
    """Embeds each frame in random numbers, which cannot be compressed."""

    kind = 'embedding'

    def __init__(self) -> None:
        super().__init__({}, {})

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.randn(len(frames), 1200)


def test_extraction(run_benchmark, module, tmp_path, monkeypatch):
    extract = module('extract_speed')
    monkeypatch.setattr(extract.subprocess, 'run', lambda words, **options: None)
    monkeypatch.setattr(extract.os, 'sched_getaffinity', lambda _: {0, 1})
    config = tmp_path / 'noise.py'
    config.write_text("teacher = dict(type='NoiseTeacher')")
    options = ('--teachers', str(config), '--every', '4', '--videos', '2', '--rounds', '1')
    one_core, programs = run_benchmark('extract', *options)
    assert one_core['target'] == pytest.approx(3.6)
    assert list(programs['ways']) == ['one process', 'all 2 cores']
    ways = one_core['ways']
    assert ways['decoding alone']['results'] == [2 * 80]
    sizes = sum(path.stat().st_size for path in (tmp_path / 'cache').glob('*_[01].mp4'))
    # 1,200 float32 of each of 160 frames, or of 40, and what LMDB needs.
    for name, frames in (('every frame', 160), ('one frame of 4', 40)):
        (shares,) = ways[name]['results']
        assert 4800 * frames < shares['noise'] * sizes < 7200 * frames + 40_000


def test_evaluation_agrees_with_scikit_learn(run_benchmark):
    options = ('--probe', '60', '8', '3', '--neighbors', '20', '100', '8', '--rounds', '1')
    probe, votes, neighbors = run_benchmark('evaluate', *options)
    assert probe['agreement'] > 0.9
    assert votes['agreement'] == 1
    assert neighbors['agreement'] > 0.99  # all but near ties in single precision


def test_help_of_all_tools(run_benchmark):
    (found,) = run_benchmark('startup', '--methods', '--runs', '1')
    assert {'train', 'evaluate'} <= set(found['ways'])
    assert max(way['cpu_seconds'][0] for way in found['ways'].values()) < 10


def test_onnx_files_are_compared_with_torch(run_benchmark, on_cpu):
    pytest.importorskip('onnx', reason='pip install mmact_ssl[onnx]')
    pytest.importorskip('onnxruntime', reason='pip install mmact_ssl[onnx]')
    (found,) = run_benchmark('onnx', '--students', 'gru-streams', '--rounds', '1')
    assert found['difference'] < 1e-4 < found['largest']
    assert 1e6 < found['bytes'] < 2e6, '0.4 M parameters'
    assert found['ways']['onnxruntime']['cpu_seconds_ratio']['median'] > 0
