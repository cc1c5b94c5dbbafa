"""The file of features: exact search in pieces, appended to, of one model."""

from __future__ import annotations

import _thread
import os
import signal
import sqlite3
import struct
from functools import partial

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
    monkeypatch.setattr(module, 'CHUNK', 2 * module.PIECE)
    assert [len(part) for part in index.chunks()] == [2, 25, 23]
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
    with pytest.raises(DataError, match='NOT NULL'):
        index.add([Window('good', 0, 1), Window('bad', 0, None)], features[:2])
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


ENDLESS = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) '
FOREIGN = {
    'view': f"""DROP TABLE meta;
        CREATE VIEW meta AS {ENDLESS} SELECT x AS key, x AS value FROM n WHERE x < 0""",
    'trigger': f"""CREATE TRIGGER t BEFORE INSERT ON windows BEGIN
        INSERT INTO meta SELECT x, x FROM ({ENDLESS} SELECT x FROM n) WHERE x < 0; END""",
    'column': "ALTER TABLE meta ADD COLUMN more AS (printf('%.*c', 999999999, 'x'))",
    'index': 'CREATE INDEX more ON windows (abs(start))',
    'table': 'CREATE TABLE more (x)',
    'virtual table': """PRAGMA writable_schema=ON; INSERT INTO sqlite_master
        VALUES ('table', 'more', 'more', 0, 'CREATE VIRTUAL TABLE more USING any(x)')""",
}


def in_child(work) -> int:
    """Run in a forked process; its exit status, negative of the signal that ended it.

    SQLite could keep a process for ever, deaf to Python: an alarm ends it.
    """
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


def assert_refused(path, message):
    def open_whole():
        with pytest.raises(DataError, match=message):
            FeatureIndex(path, META).windows()

    assert in_child(open_whole) == 0


@pytest.mark.parametrize('kind', FOREIGN)
def test_an_index_with_anything_but_its_tables_is_refused(index, kind):
    index.close()
    file = sqlite3.connect(index.path)
    file.executescript(FOREIGN[kind])
    file.close()
    assert_refused(index.path, 'its tables are not those of an index: delete it')


def test_pages_that_lead_to_each_other_many_times_are_refused(index):
    """Eight pages of 600 links each to the next one: 600 ** 8 rows, each read in C."""
    select = "SELECT rootpage FROM sqlite_master WHERE name = 'windows'"
    ((root,),) = index._file.execute(select).fetchall()
    ((size,),) = index._file.execute('PRAGMA page_size').fetchall()
    index.close()
    content = bytearray(index.path.read_bytes())
    count = len(content) // size
    content += content[(root - 1) * size : root * size]  # the rows, behind all links
    for number in range(8):
        links, target = 600, count + number + (0 if number else 1)
        page = struct.pack('>BHHHBI', 5, 0, links, size - 8, 0, target)
        page += struct.pack('>H', size - 8) * links
        page = page.ljust(size - 8, b'\0') + struct.pack('>IB', target, 60).ljust(8, b'\0')
        if number < 7:
            content += page
    content[(root - 1) * size : root * size] = page
    content[28:32] = struct.pack('>I', len(content) // size)
    index.path.write_bytes(content)
    assert_refused(index.path, 'its pages form a loop: delete it')


@pytest.fixture
def keyboard():
    """Ctrl-C as in a terminal: a process that a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_statement_as_itself(index, keyboard):
    index._file.create_function('press', 0, _thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt):
        index._fetch(f'SELECT press() UNION ALL SELECT * FROM ({ENDLESS} SELECT x FROM n)')


def test_an_id_that_leads_out_of_the_folder_is_refused(index):
    index._file.execute("UPDATE meta SET value = '/../../x' WHERE key = 'id'")
    with pytest.raises(DataError, match='has no id'):
        FeatureIndex(index.path, META)


def test_rows_that_a_foreign_file_lacks_are_one_error(index):
    index._file.execute('DELETE FROM windows WHERE id = 3')
    with pytest.raises(DataError, match='the clip of a row is missing: delete it'):
        index.windows([2])
    index._file.execute('DELETE FROM chunks WHERE id = 3')
    with pytest.raises(DataError, match='a part of its features is missing: delete it'):
        list(index.chunks())


def test_a_search_that_is_under_way_lets_others_add(index, features, monkeypatch):
    monkeypatch.setattr(module, 'BUSY_SECONDS', 0)
    monkeypatch.setattr(module, 'CHUNK', module.PIECE)
    other = FeatureIndex(index.path, META)
    parts = index.chunks()
    next(parts)
    assert other.add([Window('new', 0, 1)], features[:1]) == {'new'}
    assert sum(map(len, parts)) == 50
    with sqlite3.connect(index.path) as file:
        file.execute('BEGIN EXCLUSIVE')
        with pytest.raises(DataError, match=r'locked: see whether another process holds it'):
            other.add([Window('newer', 0, 1)], features[:1])


def test_a_clip_that_another_process_added_is_not_added_twice(index, features):
    other = FeatureIndex(index.path, META)
    clips = [Window('a', 0, 1), Window('a', 1, 2), Window('b', 0, 1)]
    assert other.add(clips[:2], features[:2]) == {'a'}
    assert index.add(clips, features[:3]) == {'b'}
    assert index.windows()[50:] == clips
    np.testing.assert_array_equal(np.concatenate(list(index.chunks(50))), features[:3])


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
    np.testing.assert_array_equal(np.concatenate(list(index.chunks())), features)


def test_one_that_is_killed_at_any_statement_leaves_an_index(tmp_path, features):
    """Each statement of creating and filling is the last one once."""
    path = tmp_path / 'killed.index'
    connect = sqlite3.connect

    def fill(last):
        left = iter(range(last))

        def traced(*args, **options):
            file = connect(*args, **options)
            file.set_trace_callback(lambda _: next(left, None) is None and os.kill(os.getpid(), 9))
            return file

        module.sqlite3.connect = traced  # of the child alone
        index = FeatureIndex(path, META)
        for row in range(0, 6, 2):
            index.add([Window(f'clip {row}', 0, 1), Window(f'clip {row}', 1, 2)], features[:2])

    kills = 0
    while (status := in_child(partial(fill, kills))) == -signal.SIGKILL:
        again = FeatureIndex(path, META)
        assert len(again.windows()) == sum(map(len, again.chunks())) in (0, 2, 4, 6)
        again.close()
        for file in tmp_path.iterdir():
            file.unlink()
        kills += 1
    assert status == 0 and kills > 20


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
