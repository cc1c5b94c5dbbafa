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


def test_faiss_serves_large_indexes_alone(tmp_path, monkeypatch):
    pytest.importorskip('faiss')
    values = np.random.default_rng(0).normal(size=(2000, 8)).astype(np.float32)
    index = FeatureIndex(tmp_path / 'large.index', META)
    index.add([Window(str(row), 0, 1) for row in range(len(values))], values)
    queries = normalize(values[::40])
    exact = index.search(queries, 5)[1]
    assert index._faiss is None
    monkeypatch.setattr(module, 'FAISS_ABOVE', 1999)
    similarity, rows = index.search(queries, 5)
    assert index._faiss is not None
    assert (rows[:, 0] == exact[:, 0]).mean() > 0.9
    np.testing.assert_allclose(similarity[:, 0], 1, atol=0.05)
    index.add([Window('new', 0, 1)], values[:1])
    assert index._faiss is None, 'rows that came later would not be found'
