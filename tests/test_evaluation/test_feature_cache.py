"""Frozen features are read again only where the same code would make them again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mmengine.config import Config
from torch import nn

from mmact_ssl.evaluation import feature_cache as module
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.feature_cache import (
    PACKAGE,
    cache_key,
    code_version,
    imported_code,
)
from mmact_ssl.evaluation.features import feature_dataloader


def test_a_change_of_the_package_changes_the_code_version(tmp_path):
    copied = Path(shutil.copytree(PACKAGE, tmp_path / 'mmact_ssl'))
    (copied / 'README.md').write_text('not code\n')
    versions = [code_version(copied)]
    assert versions == [module.CODE_VERSION]
    for name in ('datasets/transforms/skeleton/normalize.py', 'models/skeletons.py', 'compat.py'):
        (copied / name).write_text((copied / name).read_text() + '\nX = 1\n')
        versions.append(code_version(copied))
    (copied / 'models' / 'new.py').touch()
    versions.append(code_version(copied))
    assert len(set(versions)) == len(versions)


def test_the_versions_of_other_packages_count(monkeypatch):
    monkeypatch.setattr('mmact_ssl.reporting.provenance.version', lambda package: '0')
    assert code_version() != module.CODE_VERSION


def test_code_goes_into_the_key(skeleton_config, monkeypatch):
    train, _ = read_splits(skeleton_config)
    loader = feature_dataloader(skeleton_config, 'train')
    backbone = nn.Linear(1, 1)
    first = cache_key(skeleton_config, backbone, loader, train)
    assert cache_key(skeleton_config, backbone, loader, train) == first
    monkeypatch.setattr(module, 'CODE_VERSION', 'of another transform')
    assert cache_key(skeleton_config, backbone, loader, train) != first


def test_code_that_a_config_imports_counts(tmp_path, monkeypatch):
    (tmp_path / 'my_package').mkdir()
    for name in ('my_transform.py', 'my_package/__init__.py', 'my_package/backbone.py'):
        (tmp_path / name).write_text('X = 1\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ('my_transform', 'my_package'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / 'c.py').write_text("custom_imports = dict(imports=['my_transform', 'my_package'])")
    names = Config.fromfile(tmp_path / 'c.py').custom_imports.imports
    versions = [imported_code(names), imported_code(['mmact_ssl', *names, 'not_there'])]
    assert versions[0] == versions[1]
    for name in ('my_transform.py', 'my_package/backbone.py'):
        (tmp_path / name).write_text('X = 2\n')
        versions.append(imported_code(names))
    assert len(set(versions)) == 3


def test_what_a_config_imports_goes_into_the_key(skeleton_config, monkeypatch):
    train, _ = read_splits(skeleton_config)
    loader = feature_dataloader(skeleton_config, 'train')
    asked = []
    monkeypatch.setattr(module, 'imported_code', lambda names: asked.append(names) or str(names))
    keys = set()
    for imports in (None, dict(imports='one'), dict(imports=['one'])):
        skeleton_config.custom_imports = imports
        keys.add(cache_key(skeleton_config, nn.Identity(), loader, train))
    assert [list(names) for names in asked] == [[], ['one'], ['one']]
    assert len(keys) == 2
