"""Shards of the ranks of an extraction: merged, and nothing else beside a cache is touched."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest

from mmact_ssl.targets.cache import TargetMeta, TargetReader, TargetWriter
from mmact_ssl.targets.meta import TargetCacheError
from mmact_ssl.targets.rank_shards import make_shard, merge_shards, remove_shards
from tests.test_targets.test_cache import META, pose, write

LONG = 'v/' * 300 + 'a.mp4'  # over LMDB's limit: kept under its hash


def test_a_merge_takes_the_shards_value_if_its_source_differs(tmp_path):
    path = tmp_path / 'x'

    def fill(path, **entries):
        with TargetWriter(path, META) as writer:
            for key, (frames, source_hash) in entries.items():
                writer.put(key, pose(frames), source_hash)

    fill(path, video=(1, ''), same=(2, 'one'), changed=(3, 'two'), old=(4, ''))
    new = {'video': (10, ''), 'same': (20, 'one'), 'changed': (30, 'new'), 'old': (40, 'three')}
    fill(make_shard(path, 0), **new, **{LONG: (50, 'four')})
    assert merge_shards(path, META) == 3
    reader = TargetReader(path)
    frames = {'video': 1, 'same': 2, 'changed': 30, 'old': 40, LONG: 50}
    assert {key: reader.shape(key)[0] for key in frames} == frames
    np.testing.assert_array_equal(reader.get(LONG), pose(50))
    assert list(reader.source_hashes(frames).values()) == ['', 'one', 'new', 'three', 'four']
    assert len(reader.keys()) == 5 and not Path(f'{path}.rank0').exists()


def test_a_shard_that_was_killed_while_it_opened_is_removed(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    make_shard(path, 0)
    lmdb.open(str(make_shard(path, 1))).close()
    write(make_shard(path, 2), ['new.mp4'])
    assert merge_shards(path, META) == 1
    assert TargetReader(path).keys() == ['a.mp4', 'b/c d.mp4', 'new.mp4']
    assert list(tmp_path.iterdir()) == [path]


def test_a_shard_of_another_teacher_is_refused(tmp_path):
    path = write(tmp_path / 'x.lmdb')
    write(make_shard(path, 0), meta=TargetMeta('pose', 'coco17', 'b' * 64))
    with pytest.raises(TargetCacheError, match=r'rank0 is stale'):
        merge_shards(path, META)


@pytest.mark.parametrize('work', [lambda path: merge_shards(path, META), remove_shards])
def test_only_what_an_extraction_has_made_is_removed(tmp_path, work):
    path = write(tmp_path / 'x.lmdb')
    write(tmp_path / 'x.lmdb.rank1')  # a copy of the user, who may name it so
    for name in ('x.lmdb.rank0', 'x.lmdb.rank_notes', 'x.lmdb.rank2'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'thesis.tex').write_text('years')
    (tmp_path / 'x.lmdb.rank.txt').write_text('years')
    write(make_shard(path, 2), ['new.mp4'])
    before = sorted(tmp_path.rglob('*'))
    work(path)
    after = sorted(tmp_path.rglob('*'))
    made = {'data.mdb', 'lock.mdb', 'shard_of_targets'}
    assert {p.relative_to(tmp_path).as_posix() for p in set(before) - set(after)} == {
        f'x.lmdb.rank2/{name}' for name in made
    }
    with pytest.raises(
        TargetCacheError, match=r'rank1 does not belong to an extraction: move it away'
    ):
        make_shard(path, 1)


def test_shards_of_a_cache_with_any_name_are_found(tmp_path):
    path = write(tmp_path / 'a[1]*.lmdb')
    write(make_shard(path, 0), ['new.mp4'])
    assert merge_shards(path, META) == 1
