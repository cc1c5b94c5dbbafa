"""Result files: complete, readable again, and comparable by their hashes."""

from __future__ import annotations

import json

import lmdb
import numpy as np
import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.result import (
    Result,
    cache_version,
    config_hash,
    data_version,
    file_hash,
    package_versions,
    portable_path,
    result_file_name,
)
from mmact_ssl.targets.cache import TargetMeta, TargetWriter


def split(ann_file='train.txt', labels=(0, 1)) -> Split:
    names = [f'v{i}.mp4' for i in range(len(labels))]
    return Split(str(ann_file), '', names, np.array(labels))


def result(**changes) -> Result:
    values = dict(
        method='CSVR',
        variant='full',
        dataset='demo',
        protocol='linear',
        backbone='r3d18-small',
        seed=0,
        metrics={'top1': 0.5},
        label_fraction=1.0,
        config='c.py',
        config_hash='h',
        checkpoint_hash='random',
        data_version='d',
        synthetic=True,
    )
    return Result(**{**values, **changes})


def test_a_result_is_read_as_it_was_written(tmp_path):
    confusion = [[3, 1], [0, 4]]
    details = {'confusion': confusion, 'classes': ['sit  down', 'a [b], c']}
    written = result(details=details, versions=package_versions())
    path = written.write(tmp_path / 'deep')
    assert path == tmp_path / 'deep' / 'csvr_full_demo_linear_seed0.json'
    assert Result.read(path) == written
    assert '[3,1]' in path.read_text(), 'a row of the confusion matrix is one line'
    assert written.write(tmp_path / 'own.json') == tmp_path / 'own.json'


def test_names_tell_runs_apart():
    names = {
        result_file_name('Random init', 'full', 'demo', 'finetune', fraction, seed)
        for fraction in (0.01, 0.1, 1.0)
        for seed in (0, 1)
    }
    assert len(names) == 6
    assert 'random-init_full_demo_finetune-10pct_seed1.json' in names


def test_results_of_transfer_are_told_apart_and_older_files_are_read(tmp_path):
    own, other = (result(pretrained_on=name) for name in ('demo', 'nwucla'))
    assert own.file_name == result().file_name == 'csvr_full_demo_linear_seed0.json'
    assert other.file_name == 'csvr_full_demo-from-nwucla_linear_seed0.json'
    assert (own.transferred, other.transferred) == (False, True)
    content = json.loads(own.write(tmp_path).read_text())
    for later in ('pretrained_on', 'prefix', 'caches'):
        del content[later]
    (tmp_path / 'old.json').write_text(json.dumps(content))
    assert Result.read(tmp_path / 'old.json') == result()


@pytest.mark.parametrize('content', ['{"method": "CSVR"}', 'not json', '[1]'])
def test_another_file_is_refused_by_name(tmp_path, content):
    (tmp_path / 'x.json').write_text(content)
    with pytest.raises(DataError, match=r'x\.json: not a result file'):
        Result.read(tmp_path / 'x.json')


def test_the_config_hash_follows_settings_and_samples_but_not_the_folder(monkeypatch):
    config = {'ann': 'data/jhmdb/train.txt', 'k': 5}
    train, test = split(), split('test.txt')
    first = config_hash(config, train, test)
    assert first == config_hash(dict(reversed(config.items())), train, test)
    assert first != config_hash({**config, 'k': 6}, train, test)
    assert first != config_hash(config, split(labels=(1, 0)), test)
    monkeypatch.setenv('MMACT_SSL_DATA', '/far/away')
    assert first == config_hash({**config, 'ann': '/far/away/jhmdb/train.txt'}, train, test)


def test_the_data_version_follows_annotations_and_cache(tmp_path):
    train, test = split(tmp_path / 'train.txt'), split(tmp_path / 'test.txt')
    versions = [data_version(train, test), data_version(train, split(labels=(1, 1)))]
    cache = tmp_path / 'targets' / 'pose.lmdb'
    for fingerprint in ('one', 'two'):
        meta = TargetMeta(kind='pose', layout='coco17', fingerprint=fingerprint, source='a teacher')
        TargetWriter(cache, meta, overwrite=True).close()
        versions.append(data_version(train, test))
    assert len(set(versions)) == 4
    assert versions[-1] == data_version(train, test)


def test_a_cache_of_another_format_is_the_same_data(tmp_path):
    train, test = split(tmp_path / 'train.txt'), split(tmp_path / 'test.txt')
    cache = tmp_path / 'targets' / 'pose.lmdb'
    words = dict(kind='pose', layout='coco17', fingerprint='one', source='a teacher')
    TargetWriter(cache, TargetMeta(**words)).close()
    now = data_version(train, test)
    first_format = json.dumps({**words, 'format': 1}, sort_keys=True).encode()
    with lmdb.open(str(cache)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b'__meta__', first_format)
    assert data_version(train, test) == now


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


def test_the_file_hash_is_sha256(tmp_path):
    (tmp_path / 'x').write_bytes(b'abc')
    assert file_hash(tmp_path / 'x').startswith('ba7816bf8f01cfea414140de5dae2223b00361a3')
