"""Targets belong to the content of a video: a replaced one gets new targets, a copied one none."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mmact_ssl.datasets import shards
from mmact_ssl.datasets.shards import hash_videos, video_hash
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.targets import extraction
from mmact_ssl.targets.broken_videos import read_broken
from mmact_ssl.targets.cache import TargetReader, TargetWriter
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from mmact_ssl.targets.load_targets import LoadTargets
from mmact_ssl.targets.meta import TargetCacheError
from mmact_ssl.targets.part_maps import draw_parts
from tests.test_targets.test_extraction import ColorTeacher, extract, run, write_configs

NAMES = [f'{number}.mp4' for number in range(5)]
CACHE = 'pose.lmdb'


@pytest.fixture
def data(tmp_path: Path, make_video) -> Path:
    """Five videos and a cache of their targets."""
    folder = tmp_path / 'data'
    folder.mkdir()
    for number, name in enumerate(NAMES):
        make_video(folder / name, num_frames=3 + number, width=48, height=32)
    assert extract(folder, NAMES).written == 5
    return folder


def replace(make_video, path: Path) -> None:
    """Put another video of as many frames in its place."""
    total = 3 + int(path.stem)
    make_video(path, num_frames=total + 40, width=48, height=32, skip=range(40))


def counts(report: extraction.ExtractionReport) -> tuple[int, int, int]:
    return report.written, report.renewed, report.skipped


def check(data: Path, names: list[str] = NAMES, out: str = CACHE) -> None:
    """Compare the targets of a cache with those of the videos as they are."""
    reader = TargetReader(data / out)
    for name in names:
        np.testing.assert_allclose(reader.get(name), run(ColorTeacher(), data / name), rtol=1e-5)


@pytest.mark.parametrize('workers', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_replaced_video_gets_new_targets(data, make_video, monkeypatch, workers):
    monkeypatch.syspath_prepend(str(data))
    monkeypatch.setattr(extraction, 'VIDEOS_A_WORKER', 2)
    # That fresh processes work is a test of tests/test_targets/test_extraction.py.
    fork = multiprocessing.get_context('fork')
    monkeypatch.setattr(multiprocessing, 'get_context', lambda method: fork)
    config, _ = write_configs(data)
    before = TargetReader(data / CACHE).get(NAMES[1])
    for name in NAMES[1:3]:
        replace(make_video, data / name)
    job = ExtractionJob(build_teacher(config), data / CACHE, config=config)
    assert counts(extract_many([job], data, NAMES, workers=workers)) == (2, 2, 3)
    assert np.abs(TargetReader(data / CACHE).get(NAMES[1]) - before).max() > 0.01
    check(data)
    assert counts(extract_many([job], data, NAMES, workers=workers)) == (0, 0, 5)


def test_targets_of_a_replaced_video_are_refused(data, make_video):
    load = LoadTargets(cache=f'{data / CACHE}', layout=None).bind(data, f'{data}')
    results = dict(
        filename=f'{data / NAMES[1]}', total_frames=4, frame_inds=dict(clip=np.arange(4))
    )
    assert load(dict(results))['targets']['clip']['pose'].shape[0] == 4
    replace(make_video, data / NAMES[1])  # by one of as many frames
    with pytest.raises(TargetCacheError, match="video '1.mp4' has 4 frames, .* of another video"):
        load(dict(results))
    extract(data, NAMES)
    load(dict(results))


def test_a_copied_data_set_keeps_its_targets(data, tmp_path):
    copy = tmp_path / 'another disk' / 'moved'
    shutil.copytree(data, copy)
    for name in NAMES:
        os.utime(copy / name, (1, 1))
    teacher = ColorTeacher()
    assert counts(extract(copy, NAMES, teacher)) == (0, 0, 5) and not teacher.seen


def test_a_cache_without_records_stays(data, make_video):
    reader = TargetReader(data / CACHE)
    poses = {name: reader.get(name) for name in NAMES}
    with TargetWriter(data / CACHE, reader.meta) as writer:
        for name, pose in poses.items():
            writer.put(name, pose)
    replace(make_video, data / NAMES[0])
    assert counts(extract(data, NAMES)) == (0, 0, 5)
    np.testing.assert_array_equal(TargetReader(data / CACHE).get(NAMES[0]), poses[NAMES[0]])


def test_an_entry_stays_until_its_new_one_is_ready(data, make_video):
    """A wrong folder, noticed in time, costs no more than has been written."""
    for name in NAMES[1:]:
        replace(make_video, data / name)
    old = TargetReader(data / CACHE)
    kept = {name: old.get(name) for name in NAMES[3:]}
    teacher = ColorTeacher()

    def killed_in_the_third(frames):
        if teacher.seen == 9:
            raise KeyboardInterrupt
        return ColorTeacher.predict(teacher, frames)

    teacher.predict = killed_in_the_third
    with pytest.raises(KeyboardInterrupt):
        extract(data, NAMES, teacher)
    check(data, NAMES[:3])
    for name, value in kept.items():
        np.testing.assert_array_equal(TargetReader(data / CACHE).get(name), value)
    assert counts(extract(data, NAMES)) == (2, 2, 3)
    check(data)


def test_a_video_that_is_broken_now_has_no_targets(data):
    (data / NAMES[0]).write_bytes(b'no video')
    report = extract(data, NAMES)
    assert (counts(report), list(report.broken)) == ((0, 0, 4), NAMES[:1])
    assert TargetReader(data / CACHE).keys() == NAMES[1:]
    assert list(read_broken(data / CACHE)) == NAMES[:1]
    (data / NAMES[1]).unlink()  # nobody can tell whether it has changed
    assert extract(data, NAMES).skipped == 4


def test_part_maps_follow_their_poses(data, make_video):
    poses, out = data / CACHE, data / 'parts.lmdb'
    assert draw_parts(poses, out, data) == 5
    before = TargetReader(out).get(NAMES[1])
    replace(make_video, data / NAMES[1])
    extract(data, NAMES)
    assert draw_parts(poses, out, data) == 1
    assert draw_parts(poses, out, data) == 0
    assert TargetReader(out).source_hashes(NAMES) == hash_videos(data, NAMES)
    assert TargetReader(out).get(NAMES[1]).shape == before.shape


def test_a_hash_sees_size_and_ends_and_not_the_middle(tmp_path):
    content = np.random.default_rng(0).bytes(shards.END_BYTES * 3)
    first, middle, last = (bytearray(content) for _ in range(3))
    for changed, place in ((first, 0), (middle, shards.END_BYTES * 3 // 2), (last, -1)):
        changed[place] ^= 1

    def hash_of(content: bytes) -> str:
        (tmp_path / 'a.mp4').write_bytes(content)
        return video_hash(str(tmp_path / 'a.mp4'))

    known = hash_of(content)
    assert len({known, hash_of(first), hash_of(last), hash_of(content[:-1]), hash_of(b'')}) == 5
    assert hash_of(middle) == known, 'as its docstring tells'
    assert hash_of(b'short') not in ('', hash_of(b'shore'))
    assert video_hash(str(tmp_path / 'gone.mp4')) == ''
    assert video_hash('https://host/a.tar/a.mp4') == video_hash('s3://bucket/a.mp4') == ''


def test_a_video_in_a_shard_has_the_hash_of_its_file(data):
    with tarfile.open(data / 'x.tar', 'w') as tar:
        for name in NAMES:
            tar.add(data / name, name)
    hashes = hash_videos(data, [f'x.tar/{name}' for name in NAMES])
    assert list(hashes.values()) == list(hash_videos(data, NAMES).values())
    assert len(set(hashes.values())) == 5
    assert video_hash(str(data / 'x.tar/gone.mp4')) == ''
