"""The folder of features: searched exactly, appended to, of one model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmact_ssl.apis.feature_index import FeatureIndex, Window
from mmact_ssl.errors import DataError
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
    windows = [Window(f'clip {row}', 0, row) for row in range(50)]
    for piece in map(slice, (0, 1, 2, 20, 27), (1, 2, 20, 27, 50)):
        index.add(windows[piece], features[piece], {})
    return index


def test_hits_are_the_nearest_rows(index, features):
    np.testing.assert_array_equal(index.rows()[1], features)
    queries = normalize(np.concatenate([features[[4, 7]] + 0.01, -features[:3]]))
    found = index.search(queries, top=7)
    full = normalize(features) @ queries.T  # (50, Q)
    for query, hits in enumerate(found):
        order = sorted(range(50), key=lambda row: (-full[row, query], row))[:7]
        assert {window.name for _, window in hits} == {f'clip {row}' for row in order}
        np.testing.assert_allclose([cosine for cosine, _ in hits], full[order, query], rtol=1e-5)
    assert [row.stop for _, row in found[0][:2]] == [4, 31], 'equal rows in their order'
    assert [len(hits) for hits in index.search(queries, top=99)] == [50] * 5
    halves = index.search(queries[:, :3], 1, lambda rows: normalize(rows[:, :3]))
    assert len(halves) == 5, 'another space is another search'


def test_what_is_written_is_there_again_and_can_be_appended_to(index, features):
    again = FeatureIndex(index.path, META)
    assert again.versions == {f'clip {row}': (0, 0) for row in range(50)}
    np.testing.assert_array_equal(again.rows()[1], features)
    again.add([Window('clip 50', 0, 1)], features[:1], {})
    assert [window.name for window in again.rows()[0]] == [f'clip {row}' for row in range(51)]


def test_a_second_writer_is_refused(index, features):
    other = FeatureIndex(index.path, META)
    other.add([Window('a', 0, 1)], features[:1], {})
    for write in (
        lambda: index.add([Window('b', 0, 1)], features[:1], {}),
        lambda: index.drop({'clip 3'}),
    ):
        with pytest.raises(DataError, match='another process has added clips: add yours again'):
            write()
    assert len(FeatureIndex(index.path, META).rows()[0]) == 51, 'nothing is lost'


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
        FeatureIndex(index.path, META).rows()


def test_damaged_files_are_named(index, features):
    np.savez(index.path / '000005.npz', **foreign(features=np.ones((2, 3), np.float32)))
    with pytest.raises(DataError, match=r'clips\.index: .*dimension.*: delete the folder'):
        FeatureIndex(index.path, META).rows()
    (index.path / '000002.npz').write_bytes(b'PK no archive')
    with pytest.raises(DataError, match=r'000002\.npz: .*delete the folder'):
        FeatureIndex(index.path, META)


def test_what_was_dropped_is_found_no_more_and_can_come_again(index, features):
    old, new = (10, 1), (10, 2)
    windows = [Window('a', 0, 1), Window('b', 0, 1), Window('a', 1, 2)]
    index.add(windows, features[:3] * 2, {'a': old, 'b': old})
    index.drop({'a', 'clip 3', 'clip 0', 'clip 49', 'nobody'})
    kept = [row for row in range(1, 49) if row != 3]
    expected = [*(Window(f'clip {row}', 0, row) for row in kept), windows[1]]
    for one in (index, FeatureIndex(index.path, META)):
        assert one.rows()[0] == expected
        np.testing.assert_array_equal(
            one.rows()[1], np.concatenate([features[kept], features[1:2] * 2])
        )
        for hits in one.search(normalize(features[[0, 3]]), top=99):
            assert sorted(window for _, window in hits) == sorted(expected)
    index.add(windows[:1], features[5:6], {'a': new})
    again = FeatureIndex(index.path, META)
    assert again.rows()[0] == [*expected, windows[0]] and again.versions['a'] == new
    again.drop(set(again.versions))
    assert again.rows()[0] == [] and again.versions == {}


def test_an_index_of_another_model_or_version_is_refused(index):
    other = dict(META, model='b' * 64, model_name='large')
    named = r"its model is 'small \(a{8}\)', not 'large \(b{8}\)': "
    with pytest.raises(DataError, match=named):
        FeatureIndex(index.path, other)
    head = index.path / 'index.json'
    settings = json.loads(head.read_text())
    head.write_text(json.dumps({**settings, 'model_name': '\x1b[2J\n' * 999}))
    with pytest.raises(DataError) as raised:
        FeatureIndex(index.path, other)
    assert '\x1b' not in str(raised.value) and len(str(raised.value)) < 500
    head.write_text(json.dumps({**settings, 'format': 3}))
    with pytest.raises(DataError, match='its format is 3, not 5: '):
        FeatureIndex(index.path, META)
