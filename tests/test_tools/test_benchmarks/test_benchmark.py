"""tools/benchmark.py runs and reports what it measured."""

from __future__ import annotations

import argparse
import importlib
import json
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from mmact_ssl.datasets.video_reader import VideoReader


@pytest.fixture
def data_speed(tool):
    return importlib.import_module('data_speed')


@pytest.fixture
def ms2l_speed(tool):
    return importlib.import_module('ms2l_speed')


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


def test_made_videos_are_of_moving_texture(data_speed, tmp_path, monkeypatch):
    monkeypatch.setattr(data_speed, 'NUM_FRAMES', 12)
    path = tmp_path / 'made' / 'video.mp4'
    data_speed.make_video(path, 96, 64, seed=0)
    with VideoReader(path) as reader:
        frames = np.stack(list(reader.read(range(12)).values())).astype(float)
    assert frames.shape == (12, 64, 96, 3)
    assert frames.std(axis=(1, 2)).min() > 20  # texture everywhere
    assert np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).min() > 1  # and it moves
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def ms2l(tool, tmp_path, capsys):
    """Run the mode at a size of seconds; gives its figures and what it printed."""

    def run(*arguments: str) -> tuple[dict, str]:
        out = tmp_path / 'ms2l.json'
        sizes = ['--batches', '2', '--batch-size', '3', '--hidden', '4', '--out', str(out)]
        tool.main(['ms2l', *sizes, *arguments])
        return json.loads(out.read_text()), capsys.readouterr().out

    return run


def test_ms2l_compares_ways_on_the_lengths_of_a_prepared_set(ms2l, tmp_path):
    np.savez(tmp_path / 'clips.npz', lengths=np.array([3, 5, 7]))
    ways = ('ours', 'padded', 'torch-packed')
    figures, printed = ms2l('--sets', 'nwucla', '--data', str(tmp_path), '--ways', *ways)
    (result,) = figures['results']
    measured = result['ways']
    assert tuple(measured) == ways
    assert result['drawn'] is False and 'longest 7' in printed
    assert result['ratio'] == pytest.approx(
        measured['padded']['cpu_seconds'] / measured['ours']['cpu_seconds']
    )
    assert f'ours is {result["ratio"]:.2f} times faster' in printed
    assert result['loss_difference'] < 1e-5
    # What padding does to the losses where it is read, so that the check above could fail.
    others = zip(measured['ours']['first_losses'], measured['padded']['first_losses'])
    assert max(abs(one - other) for one, other in others) > 1e-4


@pytest.mark.parametrize(
    ('name', 'median', 'mean', 'bounds'), [('nwucla', 31, 37, (1, 201)), ('ntu', 72, 80, (20, 300))]
)
def test_ms2l_draws_lengths_like_those_of_the_set(ms2l_speed, name, median, mean, bounds):
    lengths = ms2l_speed.SETS[name].draw_lengths(10000, np.random.RandomState(0))
    assert np.median(lengths) == pytest.approx(median, rel=0.02)
    assert lengths.mean() == pytest.approx(mean, rel=0.02)
    assert bounds[0] <= lengths.min() and lengths.max() == bounds[1]


def test_ms2l_sorts_bucketed_batches_by_length(ms2l_speed):
    args = argparse.Namespace(seed=0, hidden=4)
    lengths = np.array([[6, 1], [2, 5]])
    with mock.patch.object(ms2l_speed, 'make_batch', wraps=ms2l_speed.make_batch) as make:
        ms2l_speed.train('bucketed', ms2l_speed.SETS['nwucla'], lengths, 9, args)
        ms2l_speed.train('padded', ms2l_speed.SETS['nwucla'], lengths, 9, args)
    seen = [(call.args[1].tolist(), call.args[2]) for call in make.call_args_list]
    assert seen == [([1, 2], 2), ([5, 6], 6), ([6, 1], 9), ([2, 5], 9)]


def test_ways_that_honour_lengths_read_the_same_frames(ms2l_speed):
    """Beside torch's own packing: padded sequences, each direction reversed by the length."""
    torch.manual_seed(0)
    gru = nn.GRU(3, 4, 2, batch_first=True, bidirectional=True)
    x, lengths = torch.randn(3, 6, 3), torch.tensor([6, 1, 4])
    expected = ms2l_speed.run_torch_packed(gru, x, lengths)
    torch.testing.assert_close(ms2l_speed.run_reversed(gru, x, lengths), expected)
    assert not torch.allclose(ms2l_speed.run_over_padding(gru, x, lengths)[1, 0], expected[1, 0])


def test_views_of_the_ms2l_step(ms2l_speed):
    clip = torch.arange(1.0, 11).view(1, 1, 10, 1, 1).repeat(2, 1, 1, 1, 1)
    valid = torch.ones(2, 1, 10, dtype=torch.bool)
    clip[1, :, 2:], valid[1, :, 2:] = 0, False
    views = ms2l_speed.make_views(clip, valid)
    assert views['masked'][0].flatten().tolist() == [1, 2, 3, 4, 5, 6, 7, 0, 0, 0]
    assert views['shuffled'][0].flatten().tolist() == [4, 5, 6, 7, 8, 9, 1, 2, 3, 10]
    assert views['masked'][1].flatten().tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 0]
    assert torch.equal(views['shuffled'][1], clip[1])
