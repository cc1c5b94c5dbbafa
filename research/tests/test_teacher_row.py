"""A teacher's own embeddings, evaluated as a student's features."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.targets.cache import TargetCacheError, TargetMeta, TargetWriter
from research.teacher_row import evaluate_teacher, teacher_features

META = TargetMeta('embedding', '', 'a' * 64, 'MadeTeacher(made)')


@pytest.fixture
def cache(linear_config, tmp_path):
    """Embeddings whose mean over frames tells the class, and no single frame does."""
    train, test, _ = read_splits(linear_config)
    generator = np.random.default_rng(0)
    path = tmp_path / 'teacher.lmdb'
    with TargetWriter(path, META) as writer:
        for split in (train, test):
            for name, label in zip(split.names, split.labels):
                frames = generator.normal(scale=50, size=(8, 5)).astype(np.float32)
                frames += 10 * np.eye(5, dtype=np.float32)[label] - frames.mean(axis=0)
                writer.put(name, frames)
    return path


def test_features_are_the_mean_over_a_videos_frames(linear_config, cache):
    train, test, _ = read_splits(linear_config)
    found, fingerprint = teacher_features(str(cache), {'train': train, 'test': test})
    assert fingerprint == META.fingerprint
    for name, split in (('train', train), ('test', test)):
        expected = 10 * np.eye(5)[split.labels]
        np.testing.assert_allclose(found[name].values, expected, atol=1e-4)
        np.testing.assert_array_equal(found[name].labels, split.labels)
    both = teacher_features(str(cache), {'test': test}, deviation=True)[0]['test'].values
    np.testing.assert_allclose(both[:, :5], found['test'].values)
    assert (both[:, 5:] > 10).all(), 'of frames that are 50 apart'


def test_the_result_is_the_teachers_and_no_encoder_is_built(
    linear_config, video_encoder, cache, monkeypatch
):
    monkeypatch.setattr(Encoder, 'build', None)
    names = ['linear', 'knn', 'retrieval']
    results = [*evaluate_teacher(linear_config, video_encoder, names, str(cache), 'T')]
    assert [result.metrics.get('top1', 1.0) for result in results] == [1.0, 1.0, 1.0]
    assert results[2].metrics['recall@1'] == 1.0
    assert {result.backbone for result in results} == {cache.stem}
    assert {result.checkpoint_hash for result in results} == {META.fingerprint}


def test_what_are_no_features_of_a_teacher_is_said(linear_config, video_encoder, cache, tmp_path):
    def run(protocol, path):
        return next(evaluate_teacher(linear_config, video_encoder, [protocol], str(path), 'T'))

    with pytest.raises(ConfigError, match='finetune trains an encoder'):
        run('finetune', cache)
    path = tmp_path / 'pose.lmdb'
    with TargetWriter(path, TargetMeta('pose', 'coco17', 'a' * 64, 'made')) as writer:
        writer.put('a.mp4', np.zeros((3, 17, 3), np.float32))
    with pytest.raises(ConfigError, match="pose.lmdb holds 'pose': only embeddings"):
        run('knn', path)
    with pytest.raises(TargetCacheError, match='no target cache'):
        run('knn', tmp_path / 'none.lmdb')
