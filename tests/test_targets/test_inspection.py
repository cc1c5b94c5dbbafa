"""Printed summaries of caches, and finding damage."""

import numpy as np
import pytest

from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter
from mmact_ssl.targets.inspection import cache_version, doubtful_poses, inspect_cache

RNG = np.random.default_rng(0)


def write(path, meta, arrays):
    with TargetWriter(path, meta) as writer:
        for key, array in arrays.items():
            writer.put(key, array)
    return path


def test_poses_and_maps(tmp_path):
    poses = RNG.random((5, 17, 3), np.float32)
    poses[1, :, 2] = 0
    meta = TargetMeta('pose', 'coco17', 'f' * 64, 'a teacher')
    rows, damaged = inspect_cache(write(tmp_path / 'x', meta, {'a': poses, 'b': poses[2:]}))
    scores = np.concatenate([poses, poses[2:]])[..., 2]
    assert rows['kind'] == 'pose' and rows['layout'] == 'coco17' and rows['window'] == ''
    assert rows['fingerprint'] == 'f' * 64 and rows['source'] == 'a teacher'
    assert (rows['videos'], rows['frames'], rows['first']) == ('2', '8', 'a [5, 17, 3]')
    assert rows['scores'] == f'of 2 videos: 0 to {scores.max():.4g}'
    assert (rows['mean'], rows['empty']) == (f'{scores.mean():.4f}', '1 all zero')
    assert damaged == {}
    maps = RNG.random((4, 10, 3, 5), np.float32)
    meta = TargetMeta('map', 'demo_parts', 'f')
    rows, _ = inspect_cache(write(tmp_path / 'm', meta, {'a': maps[:3], 'b': maps[3:]}))
    assert rows['values'] == f'of 2 videos: {maps.min():.4g} to {maps.max():.4g}'
    assert rows['mean of left_arm'] == f'{maps[:, 4].mean():.4f}'
    rows, _ = inspect_cache(write(tmp_path / 'n', meta, {}))
    assert rows['videos'] == rows['frames'] == '0' and 'empty' not in rows


def test_sentences_and_a_sample_of_many(tmp_path, monkeypatch):
    """Of five keys every third, at most two; all where every value is looked at."""
    monkeypatch.setattr('mmact_ssl.targets.inspection.SAMPLE', 2)
    arrays = {str(i): np.full((i + 1, 4), i, np.float32) for i in range(5)}
    path = write(tmp_path / 'x', TargetMeta('text', '', 'f'), arrays)
    rows, _ = inspect_cache(path)
    assert (rows['keys'], rows['sentences'], rows['values']) == ('5', '15', 'of 2 videos: 0 to 3')
    assert inspect_cache(path, verify=True)[0]['values'] == 'of 5 videos: 0 to 4'


@pytest.mark.parametrize('dtype', ['float32', 'int8'])
def test_every_damaged_entry_is_found(tmp_path, dtype):
    meta = TargetMeta('embedding', '', 'f', window=(16, 4), precision='float16', dtype=dtype)
    arrays = {f'{i}.mp4': RNG.normal(size=(6, 9)).astype(np.float32) for i in range(5)}
    path = write(tmp_path / 'x', meta, arrays)
    content = (path / 'data.mdb').read_bytes()
    for key in ('1.mp4', '3.mp4'):
        stored = meta.stored(key, arrays[key])
        content = content.replace(stored[4].tobytes(), stored[5].tobytes())
    (path / 'data.mdb').write_bytes(content)
    rows, damaged = inspect_cache(path, verify=True)
    assert damaged == dict.fromkeys(['1.mp4', '3.mp4'], 'wrong checksum')
    assert (rows['frames'], rows['window']) == ('18', '16 frames at stride 4')
    assert rows['precision'] == f'float16, stored as {dtype}'
    with pytest.raises(TargetCacheError, match="'1.mp4'.*wrong checksum"):
        inspect_cache(path)


@pytest.mark.parametrize(('score', 'doubted'), [(0.2, True), (0.5, False)])
def test_poses_of_low_scores_are_doubted(tmp_path, score, doubted):
    meta = TargetMeta('pose', 'coco17', 'f')
    with TargetWriter(tmp_path / 'pose.lmdb', meta) as writer:
        for key in 'abc':
            writer.put(key, np.full((5, 17, 3), score, np.float32))
    line = doubtful_poses(tmp_path / 'pose.lmdb')
    assert line.startswith(f'{tmp_path}/pose.lmdb: the mean score of the poses is 0.20') == doubted
    assert '\n' not in line


def write_cache(path, kind='text', fingerprint='teacher', **arrays) -> str:
    with TargetWriter(path, TargetMeta(kind, '', fingerprint), overwrite=True) as writer:
        for key, value in arrays.items():
            writer.put(key, np.asarray(value, np.float32))
    return str(path)


def test_the_version_of_sentences_follows_teacher_and_content(tmp_path):
    texts = dict(a=[[1.0, 2.0]], b=[[3.0, 4.0], [5.0, 6.0]])
    path = write_cache(tmp_path / 't', **texts)
    first, of_a = cache_version(path), cache_version(path, ['a'])
    assert len({first, of_a, cache_version(path, ['b'])}) == 3
    assert first == cache_version(write_cache(tmp_path / 'same', **texts), ['b', 'a'])
    assert first != cache_version(write_cache(path, fingerprint='another', **texts))
    write_cache(path, a=texts['a'], b=texts['b'][::-1])
    assert first != cache_version(path), 'sentences in another order'
    assert of_a == cache_version(path, ['a']), 'what is not read does not count'


def test_the_version_of_other_targets_follows_the_teacher_alone(tmp_path):
    one = cache_version(write_cache(tmp_path / 'x', 'embedding', a=[[1.0]]))
    assert one == cache_version(write_cache(tmp_path / 'x', 'embedding', a=[[1.0]], b=[[2.0]]))
    assert one != cache_version(write_cache(tmp_path / 'x', 'embedding', 'another', a=[[1.0]]))
