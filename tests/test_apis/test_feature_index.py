"""The folder of features: exact search in pieces, appended to, of one model."""

from __future__ import annotations

import json
import os
import signal
from functools import partial

import numpy as np
import pytest

from mmact_ssl.apis import feature_index as module
from mmact_ssl.apis.feature_index import FeatureIndex, Window
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize

META = dict(model='a' * 64, model_name='small', windows=None)


@pytest.fixture
def features() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    values[31] = values[4]  # equal rows: the first counts as nearer
    return values


@pytest.fixture
def index(tmp_path, features) -> FeatureIndex:
    """Written in pieces of many sizes."""
    index = FeatureIndex(tmp_path / 'new' / 'clips.index', META)
    for start, stop in [(0, 1), (1, 2), (2, 20), (20, 27), (27, 50)]:
        index.add(
            [Window(f'clip {row}', 0, row) for row in range(start, stop)], features[start:stop]
        )
    return index


def all_rows(index: FeatureIndex) -> np.ndarray:
    return np.concatenate([features for _, features in index.chunks()])


@pytest.mark.parametrize(('chunk', 'lengths'), [(19, [20, 30]), (1, [1, 1, 18, 7, 23]), (99, [50])])
def test_search_in_pieces_is_that_in_one(index, features, monkeypatch, chunk, lengths):
    monkeypatch.setattr(module, 'CHUNK', chunk)
    assert [len(part) for _, part in index.chunks()] == lengths
    np.testing.assert_array_equal(all_rows(index), features)
    queries = normalize(np.concatenate([features[[4, 7]] + 0.01, -features[:3]]))
    similarity, rows = index.search(queries, top=7)
    full = normalize(features) @ queries.T  # (50, Q)
    for query in range(len(queries)):
        order = sorted(range(50), key=lambda row: (-full[row, query], row))[:7]
        assert rows[query].tolist() == order
        np.testing.assert_allclose(similarity[query], full[order, query], rtol=1e-12)
    assert rows[0, :2].tolist() == [4, 31]
    assert index.search(queries, top=99)[1].shape == (5, 50)
    assert index.windows([31, 2]) == [Window('clip 31', 0, 31), Window('clip 2', 0, 2)]
    with pytest.raises(ConfigError, match='features have 6 values, the query has 3'):
        index.search(queries[:, :3], 1)


def test_what_is_written_is_there_again_and_can_be_appended_to(index, features):
    again = FeatureIndex(index.path, META)
    assert len(again) == 50 and again.versions() == {f'clip {row}': (0, 0) for row in range(50)}
    np.testing.assert_array_equal(all_rows(again), features)
    again.add([Window('clip 50', 0, 1)], features[:1])
    assert [window.name for window in again.windows()] == [f'clip {row}' for row in range(51)]
    assert len(index) == 51, 'what another process adds is seen'


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / 'old.index').write_bytes(b'SQLite format 3\0')
    with pytest.raises(DataError, match=r'old\.index: is a file, and .*: delete the folder'):
        FeatureIndex(tmp_path / 'old.index', META)


class Runs:
    """Fails the test where it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ('unpickled',)


def foreign(**changes) -> dict[str, np.ndarray]:
    arrays = dict(names=np.array(['a', 'b']), features=np.ones((2, 6), np.float32))
    arrays |= dict(starts=np.zeros(2), stops=np.ones(2))
    return {**arrays, 'versions': np.ones((2, 2), int), 'dropped': np.array([], str), **changes}


@pytest.mark.parametrize(
    'arrays',
    [
        dict(names=np.array(['a', 'b'])),
        foreign(names=np.array([Runs(), Runs()], object)),
        foreign(features=np.array([[Runs()], [Runs()]], object)),
        foreign(features=np.ones((3, 6), np.float32)),
        foreign(features=np.ones((2, 6))),
        foreign(features=np.ones(2, np.float32)),
        foreign(starts=np.array(0.0)),
        foreign(names=np.array([['a'], ['b'], ['c']])),
        foreign(versions=np.ones(2, int)),
        foreign(versions=np.array([['a', 'b'], ['c', 'd']])),
        foreign(dropped=np.array([Runs()], object)),
    ],
)
def test_a_foreign_file_is_data_or_refused(index, arrays):
    np.savez(index.path / '000005.npz', **arrays)
    with pytest.raises(DataError, match=r'000005\.npz: .*delete the folder of this index and add'):
        all_rows(index)


def test_damaged_files_are_named(index, features):
    np.savez(index.path / '000005.npz', **foreign(features=np.ones((2, 3), np.float32)))
    with pytest.raises(DataError, match=r'clips\.index: .*dimension.*: delete the folder'):
        all_rows(index)
    (index.path / '000002.npz').write_bytes(b'PK no archive')
    with pytest.raises(DataError, match=r'000002\.npz: .*delete the folder'):
        all_rows(index)
    for text in ('{', '[]'):
        (index.path / 'index.json').write_text(text)
        with pytest.raises(DataError, match=r'index\.json: .*delete the folder'):
            FeatureIndex(index.path, META)


def test_a_clip_that_another_process_added_is_not_added_twice(index, features):
    other = FeatureIndex(index.path, META)
    clips = [Window('a', 0, 1), Window('a', 1, 2), Window('b', 0, 1)]
    assert other.add(clips[:2], features[:2]) == {'a'}
    assert index.add(clips, features[:3]) == {'b'}
    assert index.add(clips, features[:3]) == set()
    assert index.windows()[50:] == clips
    np.testing.assert_array_equal(all_rows(index)[50:], features[:3])


def test_what_was_dropped_is_found_no_more_and_can_come_again(index, features):
    old, new = (10, 1), (10, 2)
    windows = [Window('a', 0, 1), Window('b', 0, 1), Window('a', 1, 2)]
    index.add(windows, features[:3] * 2, {'a': old, 'b': old})
    other = FeatureIndex(index.path, META)
    assert other.drop({'a': new, 'nobody': old}) == 0, 'of another version'
    assert other.drop({'a': old, 'clip 3': (0, 0), **{f'clip {n}': (0, 0) for n in (0, 49)}}) == 4
    kept = [row for row in range(1, 49) if row != 3]
    expected = [Window(f'clip {row}', 0, row) for row in kept]
    assert index.windows() == [*expected, windows[1]] and len(index) == 48
    np.testing.assert_array_equal(
        all_rows(index), np.concatenate([features[kept], features[1:2] * 2])
    )
    _, rows = index.search(normalize(features[[0, 3]]), top=99)
    assert rows.shape == (2, 48) and not {0, 3, 49, 50, 52} & set(rows.ravel().tolist())
    assert index.windows(rows[0, :1].tolist())[0] in index.windows()
    assert index.add(windows[:1], features[5:6], {'a': new}) == {'a'}
    assert other.windows()[-1] == windows[0] and other.versions()['a'] == new
    assert other.drop({'a': old}) == 0, 'another process has replaced it'
    assert FeatureIndex(index.path, META).windows() == index.windows()
    assert other.drop(other.versions()) == 49 and len(index) == 0
    assert index.search(normalize(features[:2]), top=9)[1].shape == (2, 0)


@pytest.mark.parametrize('version', [2, 3])
def test_an_index_of_another_version_is_refused(index, version):
    head = index.path / 'index.json'
    head.write_text(json.dumps({**json.loads(head.read_text()), 'format': version}))
    with pytest.raises(DataError, match='of another version of mmact_ssl: delete the folder'):
        FeatureIndex(index.path, META)


def test_another_model_is_named(index):
    other = dict(META, model='b' * 64, model_name='large')
    with pytest.raises(
        DataError, match=r'its model is small \(aaaaaaaa\), not large \(bbbbbbbb\): '
    ):
        FeatureIndex(index.path, other)
    head = index.path / 'index.json'
    head.write_text(json.dumps({**json.loads(head.read_text()), 'model_name': '\x1b[2J\n' * 999}))
    with pytest.raises(DataError) as raised:
        FeatureIndex(index.path, other)
    assert '\x1b' not in str(raised.value) and len(str(raised.value)) < 500


def test_a_relative_path_is_that_of_the_folder_where_it_was_opened(tmp_path, features, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    for name in ('here', 'there'):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    indexes = [FeatureIndex('few.index', META), FeatureIndex('~/few.index', META)]
    monkeypatch.chdir(tmp_path / 'there')
    for index in indexes:
        index.add([Window('a', 0, 1)], features[:1])
        assert len(all_rows(index)) == 1
    for path in ('here', 'home'):
        assert len(FeatureIndex(tmp_path / path / 'few.index', META)) == 1
    assert not any((tmp_path / 'there').iterdir())


def in_child(work) -> int:
    """Run in a forked process; its exit status, negative of the signal that ended it."""
    child = os.fork()
    if not child:
        signal.alarm(60)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_two_processes_create_and_fill_one_index(tmp_path, features):
    def fill():
        index = FeatureIndex(tmp_path / 'two.index', META)
        for row in range(50):
            index.add([Window(f'clip {row}', 0, 1)], features[row : row + 1])

    def both():
        child = os.fork()
        fill()
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0)

    assert in_child(both) == 0
    index = FeatureIndex(tmp_path / 'two.index', META)
    assert [window.name for window in index.windows()] == [f'clip {row}' for row in range(50)]
    np.testing.assert_array_equal(all_rows(index), features)


def test_one_that_is_killed_at_any_step_leaves_an_index(tmp_path, features):
    """Each call that touches the disk is the last one once."""
    path = tmp_path / 'killed.index'

    def fill(last):
        left = iter(range(last))

        def counted(call):
            def run(*args, **options):
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **options)

            return run

        for place, name in ((module, 'write_atomically'), (module.np, 'savez'), (os, 'link')):
            setattr(place, name, counted(getattr(place, name)))  # of the child alone
        module.Path.unlink = counted(module.Path.unlink)
        index = FeatureIndex(path, META)
        for row in range(0, 6, 2):
            index.add([Window(f'clip {row}', 0, 1), Window(f'clip {row}', 1, 2)], features[:2])
        index.drop(dict(list(index.versions().items())[:1]))

    kills = 0
    while (status := in_child(partial(fill, kills))) == -signal.SIGKILL:
        again = FeatureIndex(path, META)
        rows = sum(len(part) for _, part in again.chunks())
        assert len(again.windows()) == rows == len(again)
        assert len(again) in (0, 2, 4, 6)
        for file in path.iterdir():
            file.unlink()
        kills += 1
    assert status == 0 and kills > 9
    assert json.loads((path / 'index.json').read_text())['format'] == module.FORMAT
