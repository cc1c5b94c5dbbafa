"""Frozen features are read again only where the same code would make them again."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from torch import nn

from mmact_ssl.evaluation import feature_cache
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.feature_cache import cache_key, source_hash
from mmact_ssl.evaluation.features import feature_dataloader


def test_every_file_of_a_package_and_no_other_counts(tmp_path, monkeypatch):
    package = tmp_path / 'pack'
    for name in ('__init__.py', 'models/net.py', '.mim/configs/c.py', '../other.py'):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text('X = 1\n')
    for name, file in (('pack', package / '__init__.py'), ('other', tmp_path / 'other.py')):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__file__=str(file)))
    versions = [source_hash(['pack', 'not_there'])]
    for name in ('README.md', '.mim/configs/c.py', '../other.py'):
        (package / name).write_text('X = 2\n')
        assert source_hash(['pack']) == versions[0]
    for name in ('__init__.py', 'models/net.py', 'models/new.py'):
        (package / name).write_text('X = 2\n')
        versions.append(source_hash(['pack']))
    versions.append(source_hash(['pack', 'other']))
    (tmp_path / 'other.py').write_text('X = 3\n')
    versions.append(source_hash(['pack', 'other']))
    assert len(set(versions)) == len(versions)


@pytest.fixture
def key(skeleton_config):
    train, _ = read_splits(skeleton_config)
    loader = feature_dataloader(skeleton_config, 'train')
    return lambda: cache_key(skeleton_config, nn.Identity(), loader, train)


def test_code_and_versions_of_packages_go_into_the_key(key, monkeypatch):
    first = key()
    assert key() == first
    monkeypatch.setattr(feature_cache, 'source_hash', lambda names: 'of another transform')
    second = key()
    monkeypatch.setattr('mmact_ssl.evaluation.provenance.version', lambda package: '0')
    assert len({first, second, key()}) == 3


def test_what_a_config_imports_goes_into_the_key(key, skeleton_config, monkeypatch):
    asked = []
    monkeypatch.setattr(feature_cache, 'source_hash', lambda names: asked.append(names) or '')
    for imports in (None, dict(imports='one'), dict(imports=['one', 'two'])):
        skeleton_config.custom_imports = imports
        key()
    assert asked == [['mmact_ssl'], ['mmact_ssl', 'one'], ['mmact_ssl', 'one', 'two']]
