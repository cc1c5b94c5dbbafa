"""Doubtful poses, and the version of a cache of sentences."""

import numpy as np
import pytest

from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from mmact_ssl.targets.inspection import cache_version, doubtful_poses


@pytest.mark.parametrize(('score', 'doubted'), [(0.2, True), (0.5, False)])
def test_poses_of_low_scores_are_doubted(tmp_path, score, doubted):
    meta = TargetMeta('pose', 'coco17', 'f')
    with TargetWriter(tmp_path / 'pose.lmdb', meta) as writer:
        for key in 'abc':
            writer.put(key, np.full((5, 17, 3), score, np.float32))
    line = doubtful_poses(tmp_path / 'pose.lmdb')
    assert line.startswith(f'{tmp_path}/pose.lmdb: the mean score of the poses is 0.20') == doubted
    assert '\n' not in line


def test_the_version_of_sentences_follows_teacher_and_content(tmp_path):
    def version(fingerprint='teacher', **sentences):
        meta = TargetMeta('text', '', fingerprint)
        with TargetWriter(tmp_path / 't', meta, overwrite=True) as writer:
            for key, values in sentences.items():
                writer.put(key, np.asarray(values, np.float32))
        return cache_version(tmp_path / 't')

    texts = dict(a=[[1.0, 2.0]], b=[[3.0, 4.0], [5.0, 6.0]])
    first = version(**texts)
    assert first == version(**texts)
    assert first != version('another', **texts)
    assert first != version(a=texts['a'], b=texts['b'][::-1]), 'sentences in another order'
