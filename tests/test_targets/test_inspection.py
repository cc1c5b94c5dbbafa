"""What is printed about a cache, and finding damage."""

import numpy as np
import pytest

from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter
from mmact_ssl.targets.inspection import inspect_cache

RNG = np.random.default_rng(0)


def write(path, meta, arrays):
    with TargetWriter(path, meta) as writer:
        for key, array in arrays.items():
            writer.put(key, array)
    return path


def test_poses(tmp_path):
    poses = RNG.random((5, 17, 3), np.float32)
    poses[1, :, 2] = 0
    meta = TargetMeta('pose', 'coco17', 'f' * 64, 'a teacher')
    rows = dict(inspect_cache(write(tmp_path / 'x', meta, {'a': poses, 'b': poses[2:]})).rows)
    scores = np.concatenate([poses, poses[2:]])[..., 2]
    assert rows['kind'] == 'pose' and rows['layout'] == 'coco17' and rows['window'] == ''
    assert rows['fingerprint'] == 'f' * 64 and rows['source'] == 'a teacher'
    assert (rows['videos'], rows['frames']) == ('2', '8')
    assert rows['first'] == 'a [5, 17, 3]'
    assert rows['mean score'] == f'{scores.mean():.4f}, standard deviation {scores.std():.4f}'
    assert rows['scores'] == f'of 2 videos: 0 to {scores.max():.4g}'
    assert rows['empty'] == '1 frames without any joint'


def test_embeddings_and_maps(tmp_path):
    values = RNG.normal(size=(6, 9)).astype(np.float32)
    meta = TargetMeta('embedding', '', 'f', window=(16, 4), precision='float16')
    rows = dict(inspect_cache(write(tmp_path / 'e', meta, {'a': values})).rows)
    assert rows['window'] == '16 frames at stride 4'
    assert rows['precision'] == 'float16, stored as float32'
    assert rows['mean norm'] == f'{np.linalg.norm(values, axis=1).mean():.4f}'
    assert rows['mean value'] == f'{values.mean():.4f}, standard deviation {values.std():.4f}'
    maps = RNG.random((4, 10, 3, 5), np.float32)
    maps[0] = 0
    meta = TargetMeta('map', 'demo_parts', 'f')
    rows = dict(inspect_cache(write(tmp_path / 'm', meta, {'a': maps[:3], 'b': maps[3:]})).rows)
    assert rows['  left_arm'] == f'{maps[:, 4].mean():.4f} mean'
    assert rows['empty'] == '1 frames without any part'


def test_a_sample_of_many_videos_and_all_on_demand(tmp_path):
    meta = TargetMeta('text', '', 'f')
    arrays = {f'{i:03}': np.full((2, 3), i, np.float32) for i in range(200)}
    path = write(tmp_path / 't', meta, arrays)
    rows = dict(inspect_cache(path).rows)
    assert rows['values'] == 'of 50 videos: 0 to 196'
    assert (rows['keys'], rows['sentences']) == ('200', '400')
    assert dict(inspect_cache(path, verify=True).rows)['values'] == 'of 200 videos: 0 to 199'


def test_every_damaged_entry_is_found(tmp_path):
    meta = TargetMeta('embedding', '', 'f')
    arrays = {f'{i}.mp4': RNG.normal(size=(6, 9)).astype(np.float32) for i in range(5)}
    path = write(tmp_path / 'x', meta, arrays)
    assert inspect_cache(path, verify=True).damaged == {}
    content = (path / 'data.mdb').read_bytes()
    for key in ('1.mp4', '3.mp4'):
        content = content.replace(arrays[key][4].tobytes(), arrays[key][5].tobytes())
    (path / 'data.mdb').write_bytes(content)
    report = inspect_cache(path, verify=True)
    assert report.damaged == dict.fromkeys(['1.mp4', '3.mp4'], 'wrong checksum')
    assert dict(report.rows)['frames'] == '18'
    with pytest.raises(TargetCacheError, match="'1.mp4'.*wrong checksum"):
        inspect_cache(path)


def test_an_empty_cache_has_no_statistics(tmp_path):
    rows = dict(inspect_cache(write(tmp_path / 'x', TargetMeta('map', '', 'f'), {})).rows)
    assert rows['videos'] == rows['frames'] == '0' and 'empty' not in rows
