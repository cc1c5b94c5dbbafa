"""Probing, placing and listing files."""

from __future__ import annotations

import numpy as np

from mmact_ssl.preparation.files import place_video, probe_video, probe_videos
from mmact_ssl.preparation.poses import write_poses
from tests.pose_file import read_poses
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
    assert set(probe_videos([good, single, empty], tmp_path)) == {'single.mp4', 'empty.mp4'}


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


def test_poses_come_back(tmp_path):
    rng = np.random.default_rng(0)
    poses = {'videos/a.mp4': rng.random((3, 17, 3)), 'videos/b.mp4': rng.random((5, 17, 3))}
    path = tmp_path / 'poses.npz'
    write_poses(path, poses, 'coco17')
    layout, found = read_poses(path)
    assert layout == 'coco17'
    for (name, pose), expected in zip(found.items(), poses):
        assert name == expected and pose.dtype == np.float32
        np.testing.assert_array_equal(pose, poses[name].astype(np.float32))
