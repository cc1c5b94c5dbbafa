"""Hashes that make results comparable: of settings, samples, data and caches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.provenance import (
    config_hash,
    config_name,
    data_version,
)
from mmact_ssl.shipped_configs import CONFIGS
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
    with TargetWriter(tmp_path / 'targets/pose.lmdb', TargetMeta('embedding', '', 'x')) as writer:
        writer.put('a', np.ones((1, 2), np.float32))
    assert data_version(train, test) == first


def test_a_config_has_one_name_wherever_the_package_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_name(CONFIGS / 'downstream/gru.py') == 'configs/downstream/gru.py'
    assert config_name(tmp_path / 'my/a.py') == config_name('my/a.py') == 'my/a.py'
    assert config_name('/elsewhere/a.py') == '/elsewhere/a.py'
