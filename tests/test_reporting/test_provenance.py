"""Hashes that make results comparable: of settings, samples, data and caches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmact_ssl.evaluation.data import Split
from mmact_ssl.reporting.provenance import cache_version, config_hash, data_version, portable_path
from mmact_ssl.targets.cache import TargetMeta, TargetWriter


def split(ann_file='train.txt', labels=(0, 1)) -> Split:
    names = [f'v{i}.mp4' for i in range(len(labels))]
    return Split(str(ann_file), '', names, np.array(labels))


def test_the_config_hash_follows_settings_and_samples_but_not_the_folder(monkeypatch):
    config = {'ann': 'data/jhmdb/train.txt', 'k': 5}
    lines = split().lines(), split('test.txt').lines()
    first = config_hash(config, *lines)
    assert first == config_hash(dict(reversed(config.items())), *lines)
    assert first != config_hash({**config, 'k': 6}, *lines)
    assert first != config_hash(config, split(labels=(1, 0)).lines(), lines[1])
    monkeypatch.setenv('MMACT_SSL_DATA', '/far/away')
    assert first == config_hash({**config, 'ann': '/far/away/jhmdb/train.txt'}, *lines)


def test_the_data_version_follows_annotations_and_skeletons_and_no_targets(tmp_path):
    train, test = split(tmp_path / 'train.txt'), split(tmp_path / 'test.txt')
    moved = replace(test, skeletons='other coordinates')
    first = data_version(train, test)
    others = [data_version(train, split(labels=(1, 1))), data_version(train, moved)]
    assert len({first, *others}) == 3
    write_cache(tmp_path / 'targets' / 'pose.lmdb', kind='embedding', a=[[1.0, 2.0]])
    assert data_version(train, test) == first


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


def test_paths_are_the_same_wherever_the_data_lie(monkeypatch):
    monkeypatch.setenv('MMACT_SSL_DATA', '/mnt/a "b"')
    assert portable_path('/mnt/a "b"/x/t.lmdb') == 'data/x/t.lmdb'
    assert portable_path('elsewhere/t.lmdb') == 'elsewhere/t.lmdb'
