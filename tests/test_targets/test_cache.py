"""The target cache: what is written is read, and nothing stale or damaged is."""

import multiprocessing
import os
import re
import resource
from contextlib import contextmanager

import lmdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError
from mmact_ssl.targets.cache import (
    TargetCacheError,
    TargetMeta,
    TargetReader,
    TargetWriter,
    data_bytes,
    read_meta,
)
from mmact_ssl.targets.meta import parse_meta
from tests.helpers.processes import context

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
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path, lengths):
    arrays = {key: pose(frames, frames) for key, frames in lengths.items() if key[:2] != '__'}
    with TargetWriter(tmp_path / 'x.lmdb', META, overwrite=True) as writer:
        for key, array in arrays.items():
            writer.put(key, array)
    reader = TargetReader(tmp_path / 'x.lmdb')
    assert len(reader.keys()) == len(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(reader.get(key), array)


METAS = [
    META,
    TargetMeta('embedding', '', 'e', 'net', window=(16, 4)),
    TargetMeta('map', 'demo_parts', 'm'),
    TargetMeta('map', 'person', 'm'),
    TargetMeta('text', '', 't', 'sentences'),
]
SHAPES = {'coco17': (17, 3), 'demo_parts': (10, 6, 5)}


@pytest.mark.parametrize('meta', METAS, ids=str)
def test_all_kinds_are_read_as_they_were_written(tmp_path, meta):
    shape = SHAPES.get(meta.layout, (1, 8, 9) if meta.kind == 'map' else (12,))
    path, array = tmp_path / 'x.lmdb', np.random.default_rng(0).random((7, *shape), np.float32)
    with TargetWriter(path, meta) as writer:
        writer.put('a', array)
    reader = TargetReader(path)
    assert reader.meta == read_meta(path) == meta
    assert reader.shape('a') == array.shape
    read = reader.get('a')
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array)
    np.testing.assert_array_equal(reader.get('a', [5, 0, 5]), read[[5, 0, 5]])
    with pytest.raises(IndexError, match='frames 0 to 7 of 7'):
        reader.get('a', [0, 7])


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        (TargetMeta('box', '', 'f'), "kind 'box' cannot be stored, only "),
        (TargetMeta('map', 'lips', 'f'), "layout 'lips' of a map is unknown; known are .*person"),
        (TargetMeta('pose', '', 'f'), "layout '' of a pose is unknown; known are .'coco17"),
    ],
)
def test_what_no_cache_can_hold_is_refused(tmp_path, meta, message):
    with pytest.raises(ConfigError, match=message):
        TargetWriter(tmp_path / 'x.lmdb', meta)
    assert not (tmp_path / 'x.lmdb').exists()


@pytest.mark.parametrize(
    ('meta', 'array', 'message'),
    [
        (METAS[0], np.zeros((5, 17, 2)), r"kind 'pose' is \[F, V, 3\], got \[5, 17, 2\]"),
        (METAS[0], np.full((1, 17, 3), np.nan), 'must be finite; .* score 0'),
        (METAS[0], np.full((1, 17, 3), 2.0), 'scores of joints lie in 0..1, got 2..2'),
        (METAS[0], np.tile([320, 240, 1], (1, 17, 1)), 'fractions of the frame: divide pixels'),
        (METAS[1], np.full((5, 2), -np.inf), 'must be finite'),
        (METAS[2], np.zeros((5, 9, 2, 2)), "9 joints or parts, 'demo_parts' has 10"),
        (METAS[3], np.full((5, 1, 2, 2), 1.01), 'parts lie in 0..1, got 1.01..1.01'),
        (METAS[4], np.zeros(4), r"kind 'text' is \[S, D\]"),
    ],
)
def test_values_of_another_form_are_refused(tmp_path, meta, array, message):
    with (
        TargetWriter(tmp_path / 'x.lmdb', meta) as writer,
        pytest.raises(ValueError, match=f'^a: .*{message}'),
    ):
        writer.put('a', array)


def test_the_caches_own_names_are_not_videos(tmp_path):
    with TargetWriter(tmp_path / 'x', META) as writer, pytest.raises(ValueError, match='reserved'):
        writer.put('__meta__', pose())


@pytest.mark.parametrize('kind', ['pose', 'text'])
def test_a_target_is_found_by_the_exact_name(tmp_path, kind):
    """And that of a video in a shard by the name in the shard: the cache may be of the files."""
    keys = ['a.mp4', 'c', 'd.mp4', 'v/a.mp4']
    path, meta = tmp_path / 'x', META if kind == 'pose' else TargetMeta('text', '', 'f')
    with TargetWriter(path, meta) as writer:
        for key in keys:
            writer.put(key, pose() if kind == 'pose' else np.ones((1, 2), np.float32))
    reader = TargetReader(path)
    assert reader.lookup_all(keys) == keys
    assert reader.find('shards/0.tar/v/a.mp4') == 'v/a.mp4'
    for name in ('w/a.mp4', '/data/v/a.mp4', 'd', 'c.mp4', 'shards/0.tar/w/a.mp4', '__meta__'):
        assert reader.lookup_all([name, 'a.mp4']) == [None, 'a.mp4']
        # Another teacher would be refused: the hint names the one that made the cache.
        with pytest.raises(
            TargetCacheError,
            match=rf"is not in .*keys are \['a.mp4', 'c'\].*\({meta.source or 'unknown'}\)",
        ):
            reader.find(name)


@pytest.mark.parametrize(
    ('constant', 'value', 'every', 'message'),
    [
        ('DTYPE', 'uint8', 1, 'stored as .uint8.*make it again with --overwrite'),
        ('FORMAT_OF_SOME_FRAMES', 2, 4, 'of format 2'),  # without the last frame
    ],
)
def test_a_cache_as_earlier_versions_wrote_is_refused(monkeypatch, constant, value, every, message):
    meta = TargetMeta('pose', 'coco17', 'abc', every=every)
    assert parse_meta('x.lmdb', meta.encode()) == meta
    with monkeypatch.context() as patch:
        patch.setattr(f'mmact_ssl.targets.meta.{constant}', value)
        encoded = meta.encode()
    with pytest.raises(TargetCacheError, match=message):
        parse_meta('x.lmdb', encoded)


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('fingerprint', 'another'),
        ('layout', 'kinect20'),
        ('kind', 'embedding'),
        ('window', (16, 4)),
    ],
)
def test_a_stale_cache_is_refused_by_writer_and_overwritten_on_demand(tmp_path, field, value):
    path = write(tmp_path / 'x.lmdb')
    other = TargetMeta(**{**META.__dict__, field: value})
    with pytest.raises(TargetCacheError, match=rf'stale.*{re.escape(str(value))}.*--overwrite'):
        TargetWriter(path, other)
    assert TargetReader(path).meta == META
    write(path, ['new.mp4'], TargetMeta(**{**META.__dict__, 'source': 'the same file elsewhere'}))
    assert len(TargetReader(path).keys()) == 3
    with TargetWriter(path, other, overwrite=True):
        pass
    assert len(TargetReader(path).keys()) == 0


@pytest.mark.parametrize('kept', [0, 5, 5000, -4096])
def test_a_truncated_file_is_an_error_not_a_crash(tmp_path, kept):
    path = write(tmp_path / 'x.lmdb', [f'{i}.mp4' for i in range(50)])
    reader = TargetReader(path)
    data = path / 'data.mdb'
    os.truncate(data, kept if kept >= 0 else data.stat().st_size + kept)
    for use in (lambda: reader.get('0.mp4'), lambda: TargetReader(path)):
        with pytest.raises(TargetCacheError, match=r'x.lmdb is (truncated|damaged).*--over'):
            use()
    with pytest.raises(TargetCacheError):
        TargetWriter(path, META)
    with TargetWriter(path, META, overwrite=True) as writer:
        assert '0.mp4' not in writer


def damage(path, old, new):
    data = (path / 'data.mdb').read_bytes()
    assert old in data
    (path / 'data.mdb').write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ('old', 'new'),
    [(pose(6, 1)[2].tobytes(), pose(6, 1)[2].tobytes()[::-1]), (b'b.mp4', b'c.mp4')],
    ids=['value', 'key'],
)
def test_a_damaged_entry_is_an_error_and_can_be_made_again(tmp_path, old, new):
    path = write(tmp_path / 'x.lmdb', ['a.mp4', 'b.mp4'])
    damage(path, old, new)
    reader = TargetReader(path)
    name = reader.keys()[1]
    message = f"'{name}'.*x.lmdb is damaged .wrong checksum.*--overwrite"
    with pytest.raises(TargetCacheError, match=message):
        reader.get(name)
    np.testing.assert_array_equal(reader.get('a.mp4'), pose(5, 0))
    with TargetWriter(path, META) as writer:
        writer.remove([name, 'not there'])
        assert name not in writer and 'a.mp4' in writer
        writer.put('b.mp4', pose(6, 1))
    np.testing.assert_array_equal(reader.get('b.mp4'), pose(6, 1))


def test_a_cache_that_was_killed_before_its_meta_data_is_taken_up(tmp_path):
    lmdb.open(str(tmp_path / 'x.lmdb')).close()
    with pytest.raises(TargetCacheError, match='meta data .* absent'):
        TargetReader(tmp_path / 'x.lmdb')
    assert len(TargetReader(write(tmp_path / 'x.lmdb')).keys()) == 2


@pytest.mark.parametrize('method', ['fork', 'forkserver'])
def test_a_reader_works_in_child_processes(tmp_path, method):
    """A forked one inherits it, one of a server gets its pickle."""
    reader = TargetReader(write(tmp_path / 'x.lmdb'))
    wanted = reader.get('a.mp4')
    start = context() if method == 'forkserver' else multiprocessing.get_context(method)
    with start.Pool(2) as pool:
        found = pool.map_async(reader.get, ['a.mp4'] * 4).get(timeout=600)
    assert all(np.array_equal(array, wanted) for array in [*found, reader.get('a.mp4')])


@contextmanager
def files_of_at_most(size):
    """As on a full disk, no file may grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_line_and_what_is_written_stays(tmp_path):
    path = tmp_path / 'x.lmdb'
    for size in (0, 1 << 13):  # not even the lock, not the first page
        with (
            files_of_at_most(size),
            pytest.raises(
                TargetCacheError, match=r'x\.lmdb cannot be written \(.*its disk has \d+ MB left\)'
            ),
        ):
            TargetWriter(path, META)
    with TargetWriter(path, META) as writer:
        writer.put('a', pose(500))
        with (
            files_of_at_most(data_bytes(path)),
            pytest.raises(TargetCacheError, match=r'cannot be written .*repeat the command'),
        ):
            for number in range(99):
                writer.put(f'b{number}', pose(500))
    kept = TargetReader(path).keys()
    assert 'a' in kept and 'b98' not in kept
    with TargetWriter(path, META) as writer:
        writer.put('b98', pose(500))
    assert TargetReader(path).keys() == sorted([*kept, 'b98'])
    assert all(len(TargetReader(path).get(key)) == 500 for key in kept)
