"""Small copies of videos: their frames and times, and which of them stay."""

from __future__ import annotations

import os
from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import ConfigError
from mmact_ssl.preparation import small_copies
from mmact_ssl.preparation.files import are_recordings, count_windows
from mmact_ssl.preparation.small_copies import copies_at, copy_videos
from mmact_ssl.preparation.videos import prepare


def test_a_small_copy_has_frames_of_the_whole_video(tmp_path, make_video, monkeypatch):
    monkeypatch.setattr(small_copies, 'FRAMES', 8)
    monkeypatch.setattr(small_copies, 'SHORT_SIDE', 64)
    make_video(tmp_path / 'long.mp4', num_frames=50, width=160, height=96)
    make_video(tmp_path / 'short.mp4', num_frames=6, width=64, height=48)
    out = {tmp_path / f'{n}.mp4': tmp_path / 'out' / f'{n}.mp4' for n in ('long', 'short', 'gone')}
    reasons = copy_videos(out)
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
    copy_videos(out)
    assert copy.stat().st_mtime_ns == written, 'of the same content'
    make_video(tmp_path / 'long.mp4', num_frames=51, width=160, height=96)
    copy_videos(out)
    assert copy.stat().st_mtime_ns != written
    monkeypatch.setattr(small_copies, 'FRAMES', 9)
    copy_videos(out)
    with VideoReader(copy) as video:
        assert video.total_frames == 9


def test_a_folder_of_small_copies_names_what_cannot_be_read(tmp_path, make_video, capsys):
    source, out = tmp_path / 'my clips', tmp_path / 'out'
    source.mkdir()
    make_video(source / 'a b.mp4', num_frames=20, width=64, height=48)
    content = (source / 'a b.mp4').read_bytes()
    (source / 'cut.mp4').write_bytes(content[: len(content) // 2])
    make_video(source / 'one.mp4', num_frames=1, width=64, height=48)
    assert prepare(source, out, placement='small') == {'train': 1, 'left_out': 2}
    assert (out / 'train.txt').read_text() == 'videos/a_b.mp4\n'
    left_out = (out / 'left_out.txt').read_text()
    assert 'cut.mp4\t' in left_out and 'one.mp4\thas fewer than 2 frames' in left_out
    assert 'left out: cut.mp4' in capsys.readouterr().out
    assert (out / 'videos' / 'a_b.mp4').is_symlink()  # 20 frames are few


def test_copies_of_videos_that_are_gone_are_removed_and_no_other_file(tmp_path, make_video):
    source, out = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    for name, num_frames in dict(a=6, gone=6, torn=60).items():
        make_video(source / f'{name}.mp4', num_frames=num_frames, width=64, height=48)
    prepare(source, out, placement='small')
    make_video(out / 'videos' / "the user's.mp4", num_frames=6, width=64, height=48)
    with (out / 'train.txt').open('a') as listing:
        listing.write("videos/the user's.mp4\n")
    (source / 'gone.mp4').unlink()
    (source / 'torn.mp4').write_bytes(b'no video')
    prepare(source, out, placement='small')
    assert sorted(os.listdir(out / 'videos')) == ['a.mp4', "the user's.mp4"]
    (out / 'train.txt').write_text(''), prepare(source, out)  # links: the empty list is not read


def test_a_recording_is_decoded_once_into_windows(tmp_path, make_video, monkeypatch):
    source, target = tmp_path / 'day.mp4', tmp_path / 'out' / 'day.mp4'
    make_video(source, num_frames=110, width=64, height=48)  # 4.4 s
    monkeypatch.setattr(small_copies, 'FRAMES', 6)
    opened, decoded, decode = [], [], VideoReader._decode
    count = Mock(side_effect=lambda path: opened.append(path) or VideoReader(path))
    monkeypatch.setattr(small_copies, 'VideoReader', count)
    monkeypatch.setattr(VideoReader, '_decode', lambda *a: decoded.append(a[1:3]) or decode(*a))
    assert copy_videos({source: target}, 1.0) == {} and opened == [source]
    passes = decoded[1:]  # the first one reads the size of the first frame
    assert all(stop <= start for (_, stop), (start, _) in pairwise(passes))
    windows = copies_at(target)
    assert [path.name for path in windows] == [f'{number:05}.mp4' for number in range(4)]
    with VideoReader(source) as video, VideoReader(windows[3]) as copy:
        chosen = np.linspace(75, 109, 6).round().astype(int).tolist()
        np.testing.assert_allclose(copy.seconds, video.seconds[chosen] - 3, atol=1e-3)
        pairs = zip(copy.read(range(6)).values(), video.read(chosen).values())
        assert max(np.abs(a.astype(float) - b).mean() for a, b in pairs) < 8
    copy_videos({source: target}, 1.0)
    assert len(opened) == 1, 'the copies are there'
    windows[2].unlink()  # as after a stop
    copy_videos({source: target}, 1.0)
    assert len(opened) == 2 and copies_at(target) == windows
    make_video(source, num_frames=80, width=64, height=48)
    copy_videos({source: target}, 1.0)
    assert copies_at(target) == windows[:3]
    copy_videos({source: target})
    assert copies_at(target) == [target], 'whole now'


def test_when_a_file_is_a_recording():
    assert are_recordings(np.array([31.0, 30.0]), 30) and not are_recordings(np.zeros(0), 30)
    assert not are_recordings(np.array([31.0, 16.0, 16.0]), 30)
    assert [count_windows(s, 10) for s in (0, 30, 31, 34.9, 35.1, 3600)] == [1, 1, 3, 3, 4, 360]
    assert count_windows(3600, 0) == 1
    with pytest.raises(ConfigError, match='--window nan: give seconds, or 0 for whole files'):
        count_windows(5.0, float('nan'))


def test_windows_of_a_recording_have_its_label_and_lie_on_one_side(tmp_path, make_video):
    source, out, table = tmp_path / 'in', tmp_path / 'out', tmp_path / 'labels.csv'
    source.mkdir()
    for number in range(4):
        make_video(source / f'{number}.mp4', num_frames=100 + number, width=64, height=48)
    table.write_text('video,label\n0.mp4,0\n1.mp4,1\n2.mp4,0\n3.mp4,1\n')
    counts = prepare(source, out, table, test_fraction=0.5, placement='small', window=1.0)
    assert counts == {'train': 8, 'test': 8, 'left_out': 0}
    lines = {split: (out / f'{split}.txt').read_text().splitlines() for split in ('train', 'test')}
    sides = {(line[7], split, line[-1]) for split, listed in lines.items() for line in listed}
    assert sorted((name, label) for name, _, label in sides) == [*zip('0123', '0101')]
