"""Small copies of videos: their frames and times, and which of them stay."""

from __future__ import annotations

import os

import numpy as np
import pytest

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import DataError
from mmact_ssl.preparation.small_copies import copy_videos
from mmact_ssl.preparation.videos import prepare


def test_a_small_copy_has_frames_of_the_whole_video(tmp_path, make_video):
    make_video(tmp_path / 'long.mp4', num_frames=50, width=160, height=96)
    make_video(tmp_path / 'short.mp4', num_frames=6, width=64, height=48)
    out = {tmp_path / f'{n}.mp4': tmp_path / 'out' / f'{n}.mp4' for n in ('long', 'short', 'gone')}
    reasons = copy_videos(out, frames=8, short_side=64)
    assert list(reasons) == [tmp_path / 'gone.mp4']
    assert out[tmp_path / 'short.mp4'].is_symlink()  # small already
    with VideoReader(tmp_path / 'long.mp4') as video:
        times = video.seconds
    copy = out[tmp_path / 'long.mp4']
    with VideoReader(copy) as video:
        assert video.total_frames == 8
        assert min(video.read([0])[0].shape[:2]) == 64
        chosen = np.linspace(0, 49, 8).round().astype(int)
        np.testing.assert_allclose(video.seconds, times[chosen], atol=1e-3)
        assert len(video.keyframes_near(0, 99)) == 8
        shown = video.read(range(8))
    with VideoReader(tmp_path / 'long.mp4') as video:
        same = video.read(chosen.tolist(), 64)
    for place, index in enumerate(chosen.tolist()):
        error = np.abs(shown[place].astype(float) - same[index][:64, :106]).mean()
        assert error < 8, (place, index, error)
    written = copy.stat().st_mtime_ns
    os.utime(tmp_path / 'long.mp4', (1, 1))
    copy_videos(out, frames=8, short_side=64)
    assert copy.stat().st_mtime_ns == written, 'of the same content'
    make_video(tmp_path / 'long.mp4', num_frames=51, width=160, height=96)
    copy_videos(out, frames=8, short_side=64)
    assert copy.stat().st_mtime_ns != written
    copy_videos(out, frames=9, short_side=64)
    with VideoReader(copy) as video:
        assert video.total_frames == 9


def test_a_folder_of_small_copies_names_what_cannot_be_read(tmp_path, make_video, capsys):
    source, out = tmp_path / 'my clips', tmp_path / 'out'
    source.mkdir()
    make_video(source / 'a b.mp4', num_frames=20, width=64, height=48)
    content = (source / 'a b.mp4').read_bytes()
    (source / 'cut.mp4').write_bytes(content[: len(content) // 2])
    make_video(source / 'one.mp4', num_frames=1, width=64, height=48)
    counts = prepare(source, out, placement='small', frames=4)
    assert counts == {'train': 1, 'left_out': 2}
    assert (out / 'train.txt').read_text() == 'videos/a_b.mp4\n'
    left_out = (out / 'left_out.txt').read_text()
    assert 'cut.mp4\t' in left_out and 'one.mp4\thas fewer than 2 frames' in left_out
    assert 'left out: cut.mp4' in capsys.readouterr().out
    with VideoReader(out / 'videos' / 'a_b.mp4') as video:
        assert video.total_frames == 4
    with pytest.raises(DataError, match='--frames 1: a small copy has 2 frames or more'):
        prepare(source, out, placement='small', frames=1)
