"""A wheel built from this checkout holds the package, its configs and its tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build from a copy, because building writes into the source folder."""
    source = tmp_path_factory.mktemp('source')
    for name in ('mmact_ssl', 'configs', 'tools', 'zoo'):
        ignore = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignore)
    files = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'README.md', 'model-index.yml')
    for name in (*files, 'mmact_ssl_cli.py'):
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp('wheel')
    pip = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation']
    environment = {**os.environ, 'ZOO_URL': 'https://host.example/zoo/'}
    subprocess.run([*pip, '-w', str(out), str(source)], check=True, env=environment)
    (path,) = out.glob('*.whl')
    return zipfile.ZipFile(path)


def test_modules_configs_tools_and_data_files_are_in_it(wheel: zipfile.ZipFile):
    """A package folder without __init__.py would be left out silently; mim wants the rest."""
    data = ('.py', '.pth', '.onnx', '.json', '.npz', '.html', '.js', '.css')
    names = set(wheel.namelist())
    for path in (ROOT / 'mmact_ssl').rglob('*'):
        if path.suffix in data and '.mim' not in path.parts:
            assert str(path.relative_to(ROOT)) in names
    for path in [*(ROOT / 'configs').rglob('*.*'), *(ROOT / 'tools').glob('*.*')]:
        if path.suffix != '.pyc':
            assert f'mmact_ssl/.mim/{path.relative_to(ROOT)}' in names
    assert {'mmact_ssl/.mim/model-index.yml', 'mmact_ssl_cli.py'} <= names
    assert any(name.endswith('LICENSE') for name in names)
    (name,) = [name for name in names if name.endswith('entry_points.txt')]
    assert 'mmact-ssl = mmact_ssl_cli:main' in wheel.read(name).decode()
    for only_in_a_checkout in ('research', 'demo_world'):
        assert not [name for name in names if only_in_a_checkout in name]


def test_models_are_in_it_and_mim_knows_where_to_download_them(wheel: zipfile.ZipFile):
    for path in (ROOT / 'zoo').iterdir():
        assert wheel.read(f'mmact_ssl/.mim/zoo/{path.name}') == path.read_bytes()
    index = yaml.safe_load(wheel.read('mmact_ssl/.mim/model-index.yml'))
    weights = {model['Weights'] for model in index['Models'] if 'Weights' in model}
    files = (ROOT / 'zoo').glob('*.safetensors')
    assert weights == {f'https://host.example/zoo/{path.name}' for path in files}
