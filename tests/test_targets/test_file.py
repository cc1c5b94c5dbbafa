"""Records of what the values of a cache were made of, beside the values."""

from __future__ import annotations

import lmdb
import numpy as np
import pytest

from mmact_ssl.targets.cache import (
    TargetMeta,
    TargetReader,
    TargetWriter,
    merge_shards,
    shard_path,
)
from mmact_ssl.targets.file import encode_key, is_reserved, record_key
from mmact_ssl.targets.inspection import inspect_cache

META = TargetMeta('text', '', 'f' * 64)
LONG = 'v/' * 300 + 'a.mp4'


def value(number: float) -> np.ndarray:
    return np.full((2, 3), number, np.float32)


def write(path, **entries):
    """Entries by key: (number, what it was made of)."""
    with TargetWriter(path, META) as writer:
        for key, (number, source_hash) in entries.items():
            writer.put_stored(key, value(number), source_hash)
    return path


def test_records_are_kept_beside_the_values_and_are_no_entries(tmp_path):
    path = write(tmp_path / 'x', **{'a': (1, 'one'), LONG: (2, 'two'), 'b': (3, '')})
    reader = TargetReader(path)
    assert reader.source_hash(['a', LONG, 'b', 'c', '__meta__']) == {
        'a': 'one',
        LONG: 'two',
        'b': '',
    }
    assert len(reader) == 3
    assert reader.keys() == sorted(['a', 'b', encode_key(LONG).decode()])
    record = record_key(b'a').decode()
    assert reader.lookup(record) is None and reader.lookup('x/a') == 'a'
    rows = dict(inspect_cache(path, verify=True).rows)
    assert (rows['keys'], rows['sentences']) == ('3', '6')


@pytest.mark.parametrize('name', ['__meta__', record_key(b'a').decode()])
def test_the_caches_own_names_are_no_videos(tmp_path, name):
    assert is_reserved(name.encode()) and not is_reserved(b'a')
    with TargetWriter(tmp_path / 'x', META) as writer, pytest.raises(ValueError, match='reserved'):
        writer.put(name, value(1))


def test_value_and_record_are_one_transaction(tmp_path, monkeypatch):
    with TargetWriter(tmp_path / 'x', META) as writer:
        writes = []
        transact = writer._transact
        monkeypatch.setattr(
            writer, '_transact', lambda work, write: writes.append(write) or transact(work, write)
        )
        writer.put_stored('a', value(1), 'one')
        assert writes == [True]
        assert writer.source_hash('a') == 'one' and writer.source_hash('b') is None


def test_a_record_does_not_outlive_its_value(tmp_path):
    path = write(tmp_path / 'x', a=(1, 'one'), b=(2, 'two'))
    with TargetWriter(path, META) as writer:
        writer.put('a', value(9))
        writer.remove(['b', 'not there'])
    assert TargetReader(path).source_hash(['a', 'b']) == {'a': ''}
    with lmdb.open(str(path)) as environment:
        assert environment.stat()['entries'] == 2  # the meta data and the value


def test_a_merge_takes_the_shards_value_if_it_was_made_of_something_else(tmp_path):
    path = write(tmp_path / 'x', same=(1, 'one'), clip_b=(2, 'two'), old=(3, ''))
    shard = shard_path(path, 0)
    write(shard, same=(10, 'one'), clip_b=(20, 'new'), old=(30, 'three'), **{LONG: (40, 'four')})
    assert merge_shards(path, META) == 3
    reader = TargetReader(path)
    numbers = {'same': 1, 'clip_b': 20, 'old': 30, LONG: 40}
    assert {key: reader.get(key)[0, 0] for key in numbers} == numbers
    assert reader.source_hash(numbers) == {
        'same': 'one',
        'clip_b': 'new',
        'old': 'three',
        LONG: 'four',
    }
    assert len(reader) == 4 and not shard.exists()
