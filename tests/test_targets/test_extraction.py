import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError
from mmact_ssl.models.teachers import BaseTeacher, build_teacher
from mmact_ssl.targets import extraction as module_of_extraction
from mmact_ssl.targets import run_teachers as module
from mmact_ssl.targets.broken_videos import list_broken, read_broken
from mmact_ssl.targets.cache import TargetCacheError, TargetReader, TargetWriter
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from mmact_ssl.targets.run_teachers import iterate_frames, run_teachers
from mmact_ssl.targets.values import spread
from tests.helpers.processes import PATIENCE, Process, free_port

ROOT = Path(__file__).parents[2]
TEACHER = """
import time

from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.registry import MODELS


@MODELS.register_module(force=True)
class ColorTeacher(BaseTeacher):
    layout = 'coco17'

    def __init__(self, offset=0, pause=0.0):
        super().__init__({'offset': offset}, {})
        self.seen = 0
        self.pause = pause

    def predict(self, frames):
        time.sleep(self.pause)
        self.seen += len(frames)
        mean = frames.float().mean((2, 3)) / 255  # (N, 3)
        return mean[:, None].expand(-1, 17, -1)
"""
namespace: dict = {}
exec(TEACHER, namespace)
ColorTeacher = namespace['ColorTeacher']


@pytest.fixture
def data(tmp_path, make_video):
    """Five videos of 3 to 7 frames with an annotation."""
    names = [f'videos/{i}.mp4' for i in range(5)]
    (tmp_path / 'videos').mkdir()
    for i, name in enumerate(names):
        make_video(tmp_path / name, num_frames=3 + i, width=48, height=32)
    (tmp_path / 'train.txt').write_text(''.join(f'{name} {i}\n' for i, name in enumerate(names)))
    return tmp_path


@pytest.fixture
def names(data):
    return module_of_extraction.read_annotations([data / 'train.txt'])


def extract(data, names, teacher=None, out='pose.lmdb', **options):
    job = ExtractionJob(teacher or ColorTeacher(), data / out)
    return extract_many([job], data, names, **options)


def whole_video(path):
    with VideoReader(path) as reader:
        (frames,) = iterate_frames(reader, 64)
    return frames


def run(teacher, path, batch_size=64):
    return run_teachers([teacher], path, batch_size)[1][0]


def accept_broken(monkeypatch, share):
    monkeypatch.setattr(module_of_extraction, 'MAX_BROKEN', share)


class MapTeacher(ColorTeacher):
    """Brightness at a quarter of the frame's resolution: (N, 1, h, w)."""

    kind, layout = 'map', 'person'

    def predict(self, frames):
        self.seen += len(frames)
        gray = frames.float().mean(1, keepdim=True) / 255
        return torch.nn.functional.avg_pool2d(gray, 4)


class ClipTeacher(BaseTeacher):
    """Teacher whose answer is the mean color of each of a clip's frames: (N, T * 3)."""

    kind, window = 'embedding', (4, 2)

    def __init__(self, batch_size=3):
        super().__init__({}, {})
        self.batch_size = batch_size
        self.calls = []

    def forward(self, clips):  # (N, T, 3, H, W)
        self.calls.append(len(clips))
        return clips.float().mean((3, 4)).flatten(1) / 255


@pytest.fixture
def decoded(monkeypatch):
    """Indices of the frames that videos are asked for."""
    read, original = [], VideoReader.read
    monkeypatch.setattr(
        VideoReader, 'read', lambda self, inds, *a: read.extend(inds) or original(self, inds, *a)
    )
    return read


def test_several_teachers_share_one_decoding_pass(data, names, decoded):
    jobs = [
        ExtractionJob(ColorTeacher(), data / 'pose.lmdb'),
        ExtractionJob(MapTeacher(), data / 'map.lmdb'),
        ExtractionJob(ClipTeacher(), data / 'clip.lmdb'),
    ]
    report = extract_many(jobs, data, names)
    assert (report.written, report.skipped, report.frames, report.broken) == (5, 0, 25, {})
    assert len(decoded) == 25  # each frame once
    for job in jobs:
        reader = TargetReader(job.out)
        assert reader.meta == job.meta
        for name in names:
            wanted = run(job.teacher, data / name)
            np.testing.assert_allclose(reader.get(name), wanted, rtol=1e-5)


def test_a_video_missing_in_one_cache_runs_only_its_teacher(data, names):
    extract_many([ExtractionJob(MapTeacher(), data / 'map.lmdb')], data, names[:2])
    color, parts = ColorTeacher(), MapTeacher()
    jobs = [ExtractionJob(color, data / 'pose.lmdb'), ExtractionJob(parts, data / 'map.lmdb')]
    report = extract_many(jobs, data, names[:3])
    assert (report.written, report.skipped) == (3, 0)
    assert (color.seen, parts.seen) == (3 + 4 + 5, 5)
    report = extract_many(jobs, data, names[:3])
    assert (report.written, report.skipped) == (0, 3)
    with TargetWriter(data / 'pose.lmdb', jobs[0].meta) as writer:
        writer.remove([names[1]])
    extract_many(jobs, data, names[:3])
    assert (color.seen, parts.seen) == (12 + 4, 5)


@pytest.mark.parametrize('batch_size', [1, 3, 64])
@pytest.mark.parametrize('chunk', [1, 4, 64])
def test_a_clip_teacher_reads_the_windows_that_views_are(data, names, batch_size, chunk):
    for name in names:
        teacher = ClipTeacher(batch_size)
        found = run(teacher, data / name, chunk)
        frames = whole_video(data / name)
        means = frames.astype(np.float32).mean((1, 2)) / 255
        total = len(frames)
        for start in range(total):  # the clamping of SampleViews
            inds = np.minimum(start + np.arange(4) * 2, total - 1)
            np.testing.assert_allclose(found[start], means[inds].ravel(), rtol=1e-5)
        assert len(found) == total and max(teacher.calls) <= batch_size


@pytest.mark.parametrize('frames_in_block', [5, 1000])
def test_blocks_and_chunks_join_to_the_video(data, monkeypatch, frames_in_block):
    video = data / 'videos/4.mp4'
    whole = whole_video(video)
    wanted = run(ClipTeacher(), video)
    monkeypatch.setattr(module, 'BLOCK_BYTES', frames_in_block * whole[0].nbytes)
    for chunk in (1, 2, 3, 7, 100):
        with VideoReader(video) as reader:
            chunks = list(iterate_frames(reader, chunk))
        assert [len(part) for part in chunks[:-1]] == [chunk] * (len(chunks) - 1)
        np.testing.assert_array_equal(np.concatenate(chunks), whole)
        np.testing.assert_allclose(run(ClipTeacher(), video, chunk), wanted, rtol=1e-5)


class WildTeacher(MapTeacher):
    def predict(self, frames):
        return super().predict(frames) + float('nan')


def test_what_is_no_target_is_refused(data, names):
    jobs = [ExtractionJob(WildTeacher(), data / 'map.lmdb')]
    with pytest.raises(DataError, match=r'invalid target: videos/0.mp4: a target must be finite'):
        extract_many(jobs, data, names)
    assert TargetReader(data / 'map.lmdb').keys() == []


def test_wrong_uses_are_named(data, names):
    with pytest.raises(ConfigError, match='two teachers would write to one cache'):
        extract_many([ExtractionJob(ColorTeacher(i), data / 'p') for i in range(2)], data, names)
    with pytest.raises(DataError, match=r'holds none of the 5 annotated videos.*--videos'):
        extract(data / 'nowhere', names)
    assert not (data / 'nowhere').exists()
    (data / 'moved').mkdir()
    (data / 'moved/a.mp4').symlink_to('/gone/a.mp4')
    message = r'moved/a\.mp4 links to /gone/a\.mp4, which is gone: prepare the folder again'
    with pytest.raises(DataError, match=message):
        extract(data / 'moved', ['a.mp4', 'b.mp4'])


def test_another_teacher_is_refused_before_any_work(data, names):
    extract(data, names[:1])
    other = ColorTeacher(offset=1)
    with pytest.raises(TargetCacheError, match=r'stale.*--overwrite'):
        extract(data, names, other)
    assert other.seen == 0
    assert extract(data, names, other, overwrite=True).written == 5
    assert TargetReader(data / 'pose.lmdb').meta.fingerprint == other.fingerprint()


def test_broken_videos_are_listed_up_to_a_limit(data, names, make_video, monkeypatch):
    (data / names[1]).write_bytes(b'no video')
    (data / names[2]).unlink()
    with pytest.raises(BrokenSampleError, match='1.mp4'):
        run(ColorTeacher(), data / names[1])
    accept_broken(monkeypatch, 0.5)
    report = extract(data, names)
    assert sorted(report.broken) == names[1:3]
    assert len(TargetReader(data / 'pose.lmdb').keys()) == 3
    listing = data / 'pose.lmdb.broken.txt'
    assert list(read_broken(data / 'pose.lmdb')) == names[1:3]
    accept_broken(monkeypatch, 0.3)
    with pytest.raises(DataError, match=r'2 of 5 videos cannot be decoded, see .*broken.txt'):
        extract(data, names)
    for name in names[1:3]:
        make_video(data / name, num_frames=4)
    assert extract(data, names).written == 2
    assert not listing.exists()


def test_one_broken_video_of_few_is_no_error(data, names):
    (data / names[0]).write_bytes(b'no video')
    assert list(extract(data, names[:2]).broken) == names[:1]
    with pytest.raises(DataError, match='1 of 1 videos cannot be decoded'):
        extract(data, names[:1])


def test_another_list_leaves_what_is_listed_as_broken(data, names):
    (data / names[0]).write_bytes(b'no video')
    extract(data, names[:2])
    with TargetWriter(data / 'pose.lmdb', ExtractionJob(ColorTeacher(), data).meta) as writer:
        writer.put('found.mp4', np.ones((3, 17, 3), np.float32))
    with open(data / 'pose.lmdb.broken.txt', 'a') as listing:
        listing.write('found.mp4\tnow in the cache\n')
    (data / names[2]).write_bytes(b'no video')
    extract(data, names[2:])
    assert list(read_broken(data / 'pose.lmdb')) == [names[0], names[2]]
    extract(data, names[3:], overwrite=True)
    assert read_broken(data / 'pose.lmdb') == {}


def test_a_broken_video_of_any_name_is_listed_by_that_name(tmp_path):
    TargetWriter(tmp_path / 'x', ExtractionJob(ColorTeacher(), tmp_path).meta).close()
    broken = dict.fromkeys(('a\u2028b.mp4', 'c\x85d.mp4', 'e\tf.mp4'), 'cannot be opened')
    list_broken(tmp_path / 'x', [*broken], broken)
    assert read_broken(tmp_path / 'x') == broken


def test_teachers_see_some_frames_of_many(data, names, decoded):
    color, parts, clip = ColorTeacher(), MapTeacher(), ClipTeacher()
    jobs = [
        ExtractionJob(teacher, data / f'{i}.lmdb', every=3)
        for i, teacher in enumerate([color, parts, clip])
    ]
    report = extract_many(jobs, data, names)
    # Videos of 3 to 7 frames: 2, 2, 3, 3 and 3 of them are seen.
    assert (report.frames, color.seen, parts.seen, sum(clip.calls)) == (25, 13, 13, 13)
    for job in jobs:
        reader = TargetReader(job.out)
        assert reader.meta.every == 3 and 'every 3 frames' in reader.meta.source
        assert reader.meta.identity != reader.meta.fingerprint == job.teacher.fingerprint()
        for name in names:
            whole = run(job.teacher, data / name)
            seen = spread(len(whole), 3)
            found = reader.get(name)
            assert found.shape == reader.shape(name) == whole.shape
            np.testing.assert_allclose(found[seen], whole[seen], rtol=1e-5)
    with pytest.raises(TargetCacheError, match='its every is 3, wanted 1'):
        extract(data, names, out='0.lmdb')
    decoded.clear()  # teachers of frames alone need no others
    extract_many([ExtractionJob(ColorTeacher(), data / 'pose.lmdb', every=3)], data, names)
    assert len(decoded) == 13


def write_configs(data, pause=0.0):
    """Configs of two teachers that take their time."""
    (data / 'color_teacher.py').write_text(TEACHER)
    for offset, name in enumerate(('one', 'two')):
        (data / f'{name}.py').write_text(
            "custom_imports = dict(imports=['color_teacher'])\n"
            f"teacher = dict(type='ColorTeacher', offset={offset}, pause={pause})\n"
        )
    return [str(data / 'one.py'), str(data / 'two.py')]


def test_processes_make_the_same_as_one(data, names, monkeypatch):
    monkeypatch.syspath_prepend(str(data))
    monkeypatch.setattr(module_of_extraction, 'VIDEOS_A_WORKER', 2)
    configs = write_configs(data)
    (data / names[1]).write_bytes(b'no video')
    jobs = [
        ExtractionJob(build_teacher(config), data / f'{i}.lmdb', 2, config)
        for i, config in enumerate(configs)
    ]
    report = extract_many(jobs, data, names, workers=2)
    assert (report.written, list(report.broken), report.frames) == (4, [names[1]], 21)
    assert not any(job.teacher.seen for job in jobs)
    extract(data, names, out='pose.lmdb')
    for job in jobs:
        reader = TargetReader(job.out)
        for name in [names[0], *names[2:]]:
            seen = spread(reader.shape(name)[0], 2)
            wanted = run(ColorTeacher(), data / name)[seen]
            np.testing.assert_allclose(reader.get(name, seen), wanted, rtol=1e-5)


def test_what_is_done_is_written_before_an_older_video_that_takes_long():
    with ThreadPoolExecutor(3) as pool:
        todo = {'a': [2], 'b': [0], 'c': [0]}
        sleep = lambda key, seconds: pool.submit(time.sleep, *seconds)  # noqa: E731
        begun = module_of_extraction._as_completed(sleep, todo, ahead=3)
        assert [key for key, _ in begun][-1] == 'a'


def shards(data):
    """Videos in the shards of each cache."""
    return [
        {key for shard in data.glob(f'targets/{cache}.lmdb.rank?') for key in keys_of(shard)}
        for cache in ('one', 'two')
    ]


def keys_of(path):
    try:
        return TargetReader(path).keys()
    except TargetCacheError:  # not there yet
        return []


def start_ranks(data, pause=0.0):
    """Start tools/extract_targets.py as two processes, as torchrun does."""
    argv = ['tools/extract_targets.py', *write_configs(data, pause), '--data', str(data)]
    argv += ['--launcher', 'pytorch']
    group = dict(WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port())
    return [
        Process.program(*argv, PYTHONPATH=str(data), RANK=str(r), LOCAL_RANK=str(r), **group)
        for r in range(2)
    ]


def test_when_a_rank_dies_the_next_run_goes_on(data, names):
    first, second = start_ranks(data, pause=1.0)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and second.status is None:
        if keys_of(data / 'targets/two.lmdb.rank1'):
            break
        time.sleep(0.05)
    assert second.status is None, second.err
    second.kill()
    assert first.wait(None).status != 0, 'it ends by itself'
    done = set.intersection(*shards(data))
    assert 1 <= len(done) < 5  # it was at work
    first, second = start_ranks(data)
    second.wait()
    assert f'{5 - len(done)} videos written, {len(done)} were there' in first.wait().out
    for offset, cache in enumerate(('one.lmdb', 'two.lmdb')):
        reader = TargetReader(data / 'targets' / cache)
        assert reader.meta.fingerprint == ColorTeacher(offset).fingerprint()
        assert reader.keys() == names
        for name in names:
            wanted = run(ColorTeacher(), data / name)
            np.testing.assert_allclose(reader.get(name), wanted, rtol=1e-5)
    assert sorted(path.name for path in (data / 'targets').iterdir()) == ['one.lmdb', 'two.lmdb']
