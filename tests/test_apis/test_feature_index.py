"""The file of features: exact search in pieces, appended to, of one model."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from mmact_ssl.apis import feature_index as module
from mmact_ssl.apis.feature_index import FeatureIndex, Window
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize

META = dict(model='a' * 64, windows=None)


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


def test_search_in_pieces_is_that_in_one(index, features, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK', 8)
    assert [len(part) for part in index.chunks()][:2] == [20, 30]
    for first in (1, 19, 26, 49):
        np.testing.assert_array_equal(np.concatenate(list(index.chunks(first))), features[first:])
    np.testing.assert_array_equal(index.features(np.array([49, 0, 21])), features[[49, 0, 21]])
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
    index.close()
    again = FeatureIndex(index.path, META)
    assert len(again) == 50 and 'clip 7' in again and 'clip 50' not in again
    np.testing.assert_array_equal(np.concatenate(list(again.chunks())), features)
    again.add([Window('clip 50', 0, 1)], features[:1])
    assert [window.name for window in again.windows()] == [f'clip {row}' for row in range(51)]


def test_rows_are_written_all_or_none(index, features):
    with pytest.raises(sqlite3.Error):
        index.add([Window('good', 0, 1), Window(None, 0, 1)], features[:2])
    assert len(index) == len(index.windows()) == 50


@pytest.mark.parametrize(
    'meta', [dict(META, model='b' * 64), dict(META, windows=[1, 1, 'seconds'])]
)
def test_an_index_of_another_model_or_of_other_windows_is_refused(index, meta):
    (key,) = (key for key in meta if meta[key] != META[key])
    with pytest.raises(DataError, match=rf'clips\.index: its {key} is .*; give another file'):
        FeatureIndex(index.path, meta)


@pytest.mark.parametrize(
    'content', [b'no database, only text ' * 50, b'SQLite format 3\0' + b'x' * 99]
)
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / 'bad.index').write_bytes(content)
    with pytest.raises(DataError, match=r'bad\.index: .*delete it and add the clips again'):
        FeatureIndex(tmp_path / 'bad.index', META)


@pytest.fixture
def large(tmp_path, monkeypatch) -> tuple[FeatureIndex, np.ndarray, np.ndarray]:
    """More rows than are searched exactly, their features and some queries.

    The first rows are all of one place, so that lists trained on them alone find little.
    """
    pytest.importorskip('faiss', reason='pip install mmact_ssl[search]')
    monkeypatch.setattr(module, 'FAISS_ABOVE', 2999)
    monkeypatch.setattr('mmact_ssl.apis.compressed_search.CODE_BYTES', 4)
    random = np.random.default_rng(0)
    centers = np.repeat(random.normal(size=(300, 7)), 10, axis=0)
    values = (centers + 0.3 * random.normal(size=centers.shape)).astype(np.float32)
    values[:1000] = values[0] + 1e-3 * random.normal(size=(1000, 7))
    index = FeatureIndex(tmp_path / 'large.index', META)
    for start in (0, 500):
        stop = 500 if not start else 3000
        index.add([Window(str(row), 0, 1) for row in range(start, stop)], values[start:stop])
    return index, values, normalize(values[1000::40] + 0.1 * random.normal(size=(50, 7)))


def exactly(values, queries, top):
    cosines = queries @ normalize(values).T
    rows = np.argsort(-cosines, axis=1, kind='stable')[:, :top]
    return np.take_along_axis(cosines, rows, axis=1), rows


def test_faiss_chooses_what_is_compared_exactly(large):
    index, values, queries = large
    wanted, rows = exactly(values, queries, 5)
    similarity, found = index.search(queries, 5)
    assert np.mean([len({*a} & {*b}) / 5 for a, b in zip(rows, found)]) > 0.95
    same = found == rows
    np.testing.assert_allclose(similarity[same], wanted[same], rtol=1e-6)
    assert (np.diff(similarity) <= 0).all()
    assert index._codes.pq.code_size == 4 and index._codes.nlist == 54


def test_rows_that_come_later_are_found_and_the_codes_kept(large, monkeypatch):
    index, _, queries = large
    index.search(queries, 1)
    (codes,) = index.path.parent.glob('large.index.*.faiss')
    index.add([Window('new', 0, 1)], queries[:1].astype(np.float32))
    monkeypatch.setattr(module.np.random, 'default_rng', None)  # nothing is trained anew
    for searched in (index, FeatureIndex(index.path, META)):
        similarity, found = searched.search(queries[:1], 1)
        assert found[0, 0] == 3000
        np.testing.assert_allclose(similarity, 1, rtol=1e-6)
    codes.write_bytes(b'no index')
    with pytest.raises(DataError, match=r'large.index.*faiss is damaged .*delete it'):
        FeatureIndex(index.path, META).search(queries[:1], 1)
    # Another file of that name does not take it up.
    index.path.unlink()
    other = FeatureIndex(index.path, META)
    assert other._codes_file != codes


def test_a_query_that_finds_too_few_searches_on(large, monkeypatch):
    index, values, queries = large
    monkeypatch.setattr('mmact_ssl.apis.compressed_search.PROBES', 1)
    similarity, found = index.search(queries, 1500)
    assert found.shape == (50, 1500) and found.min() >= 0
    assert np.isfinite(similarity).all() and all(len({*row}) == 1500 for row in found)
    wanted, rows = exactly(values, queries, 3000)
    similarity, found = index.search(queries[:3], 5000)
    np.testing.assert_array_equal(np.sort(found), np.sort(rows[:3]))
    np.testing.assert_allclose(similarity, wanted[:3], rtol=1e-5)
