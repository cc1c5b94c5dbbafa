"""Printed summaries of caches, and finding damage."""

import numpy as np
import pytest

from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from mmact_ssl.targets.inspection import cache_version, doubtful_poses

RNG = np.random.default_rng(0)


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
    first = cache_version(path)
    assert first == cache_version(write_cache(tmp_path / 'same', **texts))
    assert first != cache_version(write_cache(path, fingerprint='another', **texts))
    write_cache(path, a=texts['a'], b=texts['b'][::-1])
    assert first != cache_version(path), 'sentences in another order'


def test_the_version_of_other_targets_follows_the_teacher_alone(tmp_path):
    one = cache_version(write_cache(tmp_path / 'x', 'embedding', a=[[1.0]]))
    assert one == cache_version(write_cache(tmp_path / 'x', 'embedding', a=[[1.0]], b=[[2.0]]))
    assert one != cache_version(write_cache(tmp_path / 'x', 'embedding', 'another', a=[[1.0]]))
