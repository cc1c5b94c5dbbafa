"""Probing, placing and listing files."""

from __future__ import annotations

import pytest

from mmact_ssl.preparation.files import files_below, place_video, probe_video, probe_videos
from tests.test_preparation.helpers import make_video


def test_probe_tells_good_from_bad(tmp_path):
    good = make_video(tmp_path / 'good.mp4')
    single = make_video(tmp_path / 'single.mp4', num_frames=1)
    empty = tmp_path / 'empty.mp4'
    empty.touch()
    text = tmp_path / 'text.mp4'
    text.write_text('not a video')
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(good.read_bytes()[:200])
    assert probe_video(good) == ''
    assert probe_video(single) == 'fewer than 2 frames'
    for path in (empty, text, cut, tmp_path / 'missing.mp4'):
        assert probe_video(path).startswith('does not open: ')
    assert set(probe_videos([good, single, empty])) == {single, empty}


def test_placed_videos_have_the_same_bytes(tmp_path):
    source = make_video(tmp_path / 'a.mp4')
    source.chmod(0o444)
    before, target = source.read_bytes(), tmp_path / 'out' / 'b.mp4'
    for placement in ('copy', 'copy', 'link', 'link', 'copy'):  # each replaces the one before
        place_video(source, target, placement)
        assert target.read_bytes() == source.read_bytes() == before
        assert target.is_symlink() == (placement == 'link')
        place_video(source, source, placement)  # in place: left alone
        assert not source.is_symlink()


@pytest.mark.parametrize('placement', ['copy', 'link'])
def test_a_linked_video_that_is_prepared_in_place_stays(tmp_path, placement):
    video, link = make_video(tmp_path / 'store' / 'a.mp4'), tmp_path / 'set' / 'b.mp4'
    link.parent.mkdir()
    link.symlink_to(video)
    (tmp_path / 'other').symlink_to(link.parent)
    for target in (link, tmp_path / 'other' / 'b.mp4'):
        place_video(link, target, placement)
        assert link.is_symlink() and link.resolve() == video and video.is_file()


def test_files_below_a_folder_lie_behind_links_too(tmp_path):
    for name in ('source/wave/1.mp4', 'disk/b/2.mp4', 'disk/b/c/3.mp4'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    source = tmp_path / 'source'
    (source / 'b').symlink_to(tmp_path / 'disk' / 'b')
    (tmp_path / 'disk' / 'b' / 'c' / 'around').symlink_to(source)
    (source / 'best').symlink_to(source / 'wave')
    names = [path.relative_to(source).as_posix() for path in files_below(source)]
    assert names == ['b/2.mp4', 'b/c/3.mp4', 'wave/1.mp4']
