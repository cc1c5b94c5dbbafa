"""tools/benchmark.py runs and reports what it measured."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.datasets.video_reader import VideoReader

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmark.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('benchmark_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_data_on_given_files(tool, tmp_path, make_video, capsys):
    pytest.importorskip('decord', reason='mmaction2 reads its side of the comparison with decord')
    paths = [make_video(tmp_path / f'{i}.mp4', num_frames=80, gop=250) for i in range(2)]
    out = tmp_path / 'figures' / 'data.json'
    videos = [str(path) for path in paths]
    tool.main(['data', '--videos', *videos, '--samples', '3', '--out', str(out)])
    figures = json.loads(out.read_text())
    (result,) = figures['results']
    rates = result['samples_per_second']
    assert (result['width'], result['height'], result['videos']) == (160, 120, 2)
    assert result['ratio'] == pytest.approx(rates['ours'] / rates['mmaction2'])
    assert min(rates.values()) > 0 and result['floor'] is None
    assert figures['made_videos'] is False
    assert f'{result["ratio"]:.2f}' in capsys.readouterr().out


def test_a_missing_file_is_one_line(tool, tmp_path):
    with pytest.raises(SystemExit, match=r'^error: .*gone\.mp4'):
        tool.main(['data', '--videos', str(tmp_path / 'gone.mp4')])


def test_made_videos_are_of_moving_texture(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, 'NUM_FRAMES', 12)
    path = tmp_path / 'made' / 'video.mp4'
    tool.make_video(path, 96, 64, seed=0)
    with VideoReader(path) as reader:
        frames = np.stack(list(reader.read(range(12)).values())).astype(float)
    assert frames.shape == (12, 64, 96, 3)
    assert frames.std(axis=(1, 2)).min() > 20  # texture everywhere
    assert np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).min() > 1  # and it moves
    assert list(path.parent.iterdir()) == [path]
