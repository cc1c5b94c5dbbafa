import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time

import lmdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.targets import (
    TargetCacheError,
    TargetMeta,
    TargetReader,
    TargetWriter,
    merge_shards,
    read_meta,
    remove_cache,
    shard_path,
)

META = TargetMeta('pose', 'coco17', 'a' * 64, 'made')


def pose(frames=5, seed=0):
    return np.random.default_rng(seed).random((frames, 17, 3), np.float32)


def write(path, keys=('a.mp4', 'b/c d.mp4'), meta=META):
    with TargetWriter(path, meta) as writer:
        for i, key in enumerate(keys):
            writer.put(key, pose(5 + i, i))
    return path


@given(
    st.dictionaries(st.text(min_size=1, max_size=600), st.integers(1, 7), min_size=1, max_size=5)
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_is_read(tmp_path, lengths):
    lengths.pop('__meta__', None)
    arrays = {key: pose(frames, frames) for key, frames in lengths.items()}
    with TargetWriter(tmp_path / 'x.lmdb', META, overwrite=True) as writer:
        for key, array in arrays.items():
            writer.put(key, array)
    reader = TargetReader(tmp_path / 'x.lmdb')
    assert len(reader) == len(reader.keys()) == len(arrays)
    for key, array in arrays.items():
        assert key in reader
        np.testing.assert_array_equal(reader.get(key), array)


def test_meta_survives_and_other_kinds_keep_their_dtype(tmp_path):
    meta = TargetMeta('parsing', '', 'f', 'somewhere')
    with TargetWriter(tmp_path / 'p.lmdb', meta) as writer:
        writer.put('a', np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert read_meta(tmp_path / 'p.lmdb') == meta
    assert TargetReader(tmp_path / 'p.lmdb').get('a').dtype == np.uint8


@pytest.mark.parametrize(
    'array', [np.zeros((5, 17, 2)), np.zeros((0, 17, 3)), np.full((1, 17, 3), np.nan)]
)
def test_a_wrong_pose_is_refused(tmp_path, array):
    with (
        TargetWriter(tmp_path / 'x.lmdb', META) as writer,
        pytest.raises(ValueError, match='a.mp4'),
    ):
        writer.put('a.mp4', array)


def test_the_map_grows(tmp_path):
    arrays = {f'{i}.mp4': pose(500, i) for i in range(20)}
    with TargetWriter(tmp_path / 'x.lmdb', META, map_bytes=1 << 17) as writer:
        for key, array in arrays.items():
            writer.put(key, array)  # 100 kB each
    reader = TargetReader(tmp_path / 'x.lmdb')
    assert all(np.array_equal(reader.get(key), array) for key, array in arrays.items())


def test_missing_key_names_video_cache_and_command(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    with pytest.raises(TargetCacheError) as error:
        TargetReader(path, command='python tools/extract_targets.py t.py').get('z.mp4')
    for part in ('z.mp4', str(path), 'python tools/extract_targets.py t.py'):
        assert part in str(error.value)
    assert '\n' not in str(error.value)


def test_no_cache_names_the_command(tmp_path):
    with pytest.raises(TargetCacheError, match=r'no target cache at .*none.lmdb: make it with'):
        TargetReader(tmp_path / 'none.lmdb')


def test_find_takes_the_longest_end_of_a_path(tmp_path):
    path = write(tmp_path / 'x.lmdb', ['a.mp4', 'v/a.mp4'])
    reader = TargetReader(path)
    assert reader.find('/data/set/v/a.mp4') == 'v/a.mp4'
    assert reader.find('elsewhere/a.mp4') == 'a.mp4'
    assert reader.find('a.mp4') == 'a.mp4'
    for name in ('/data/b.mp4', 'x/__meta__', 'xa.mp4'):
        with pytest.raises(TargetCacheError, match='is not in the target cache'):
            reader.find(name)


@pytest.mark.parametrize('field', ['fingerprint', 'layout', 'kind'])
def test_a_stale_cache_is_refused_by_writer_and_overwritten_on_demand(tmp_path, field):
    path = write(tmp_path / 'x.lmdb')
    other = TargetMeta(**{**META.__dict__, field: 'other'})
    with pytest.raises(TargetCacheError, match=r'stale.*other.*--overwrite'):
        TargetWriter(path, other)
    assert len(TargetReader(path)) == 2
    with TargetWriter(path, other, overwrite=True):
        pass
    assert len(TargetReader(path)) == 0


def test_a_stale_cache_is_refused_by_reader(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    assert TargetReader(path, 'a' * 64).meta == META
    with pytest.raises(TargetCacheError, match=r'stale: its teacher is a{12}, wanted b{12}'):
        TargetReader(path, 'b' * 64)


def test_the_source_may_differ(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    write(path, ['new.mp4'], TargetMeta('pose', 'coco17', 'a' * 64, 'the same file elsewhere'))
    assert len(TargetReader(path)) == 3


@pytest.mark.parametrize('kept', [0, 5, 5000, -4096])
def test_a_truncated_file_is_an_error_not_a_crash(tmp_path, kept):
    path = write(tmp_path / 'x.lmdb', [f'{i}.mp4' for i in range(50)])
    reader = TargetReader(path)
    data = path / 'data.mdb'
    os.truncate(data, kept if kept >= 0 else data.stat().st_size + kept)
    for use in (lambda: reader.get('0.mp4'), lambda: TargetReader(path)):
        with pytest.raises(TargetCacheError, match=r'x.lmdb (is truncated|cannot be read).*--over'):
            use()
    with pytest.raises(TargetCacheError):
        TargetWriter(path, META)
    with TargetWriter(path, META, overwrite=True) as writer:
        assert '0.mp4' not in writer


def test_a_damaged_value_is_an_error(tmp_path):
    path = write(tmp_path / 'x.lmdb', ['a.mp4'])
    data = (path / 'data.mdb').read_bytes()
    middle = pose(5, 0)[2].tobytes()
    assert data.count(middle) == 1
    (path / 'data.mdb').write_bytes(data.replace(middle, middle[::-1]))
    with pytest.raises(TargetCacheError, match=r"'a.mp4'.*damaged \(wrong checksum\).*--overwrite"):
        TargetReader(path).get('a.mp4')


@pytest.mark.parametrize(
    ('value', 'found'), [(None, 'no meta data'), (b'{"format": 99, "x": 1}', 'format 99')]
)
def test_another_format_is_refused(tmp_path, value, found):
    path = write(tmp_path / 'x.lmdb')
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        transaction.delete(b'__meta__')
        if value is not None:
            transaction.put(b'__meta__', value)
    with pytest.raises(TargetCacheError, match=f'has {found}, this version reads format 1'):
        TargetReader(path)


def test_remove_leaves_other_files_alone(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    (path / 'notes.txt').write_text('mine')
    remove_cache(path)
    assert [file.name for file in path.iterdir()] == ['notes.txt']


WRITER = """
import sys, numpy as np
from mmact_ssl.datasets.targets import TargetMeta, TargetWriter
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
meta = TargetMeta('pose', 'coco17', 'a' * 64, 'made')
with TargetWriter(path, meta, map_bytes=1 << 17) as writer:
    for i in range(first, last):
        writer.put(f'{i}.mp4', np.full((50, 17, 3), i, np.float32))
        print(i, flush=True)
"""


def start_writer(path, first, last):
    command = [sys.executable, '-c', WRITER, str(path), str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_killed_while_writing_and_resumed(tmp_path):
    path = tmp_path / 'x.lmdb'
    process = start_writer(path, 0, 10**6)
    for _ in range(30):
        said = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    reader = TargetReader(path)
    assert len(reader) > said  # all that was reported is there
    for i in range(len(reader)):
        assert (reader.get(f'{i}.mp4') == i).all()
    done = len(reader)
    with TargetWriter(path, META) as writer:
        assert '0.mp4' in writer
        writer.put(f'{done}.mp4', np.full((50, 17, 3), done, np.float32))
    assert len(reader) == done + 1


def test_two_writers_at_once(tmp_path):
    path = tmp_path / 'x.lmdb'
    processes = [start_writer(path, 0, 150), start_writer(path, 150, 300)]
    assert [process.wait(60) for process in processes] == [0, 0]
    for process in processes:
        process.stdout.close()
    reader = TargetReader(path)
    assert len(reader) == 300
    assert all((reader.get(f'{i}.mp4') == i).all() for i in range(300))


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_a_reader_works_in_child_processes(tmp_path, method):
    reader = TargetReader(write(tmp_path / 'x.lmdb'))
    wanted = reader.get('a.mp4')
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.map_async(reader.get, ['a.mp4'] * 4).get(timeout=60)
    assert all(np.array_equal(array, wanted) for array in [*found, reader.get('a.mp4')])


def test_readers_share_a_cache_are_pickled_and_hand_out_copies(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    first, second = TargetReader(path), pickle.loads(pickle.dumps(TargetReader(path)))
    first.get('a.mp4')[:] = 0
    np.testing.assert_array_equal(second.get('a.mp4'), pose(5, 0))


def test_a_read_is_quick(tmp_path):
    reader = TargetReader(write(tmp_path / 'x.lmdb'))
    start = time.perf_counter()
    for _ in range(100):
        reader.get('a.mp4')
    assert time.perf_counter() - start < 1  # decoding a clip takes 50 ms


def test_shards_are_merged_and_removed(tmp_path):
    path = tmp_path / 'x.lmdb'
    write(path, ['a.mp4'])
    for rank in range(2):
        write(shard_path(path, rank), [f'{rank}/{i}.mp4' for i in range(3)])
    assert merge_shards(path, META) == 6
    assert len(TargetReader(path)) == 7
    assert sorted(tmp_path.iterdir()) == [path]
    assert merge_shards(path, META) == 0


def test_a_merge_can_be_repeated_and_keeps_what_is_there(tmp_path):
    path = tmp_path / 'x.lmdb'
    write(path, ['a.mp4'])
    with TargetWriter(shard_path(path, 0), META) as writer:
        writer.put('a.mp4', pose(9, 9))
        writer.put('b.mp4', pose(3, 3))
    assert merge_shards(path, META) == 1
    np.testing.assert_array_equal(TargetReader(path).get('a.mp4'), pose(5, 0))


def test_a_shard_of_another_teacher_is_refused(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    write(shard_path(path, 0), meta=TargetMeta('pose', 'coco17', 'b' * 64))
    with pytest.raises(TargetCacheError, match=r'rank0 is stale'):
        merge_shards(path, META)
