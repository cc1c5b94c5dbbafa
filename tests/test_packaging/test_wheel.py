"""A wheel built from this checkout holds the package, its configs and its tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

from mmact_ssl.apis.card import read_card

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


def test_every_module_is_in_it(wheel: zipfile.ZipFile):
    """A package folder without __init__.py would be left out silently."""
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'mmact_ssl').rglob('*.py')
        if '.mim' not in path.parts
    }
    assert modules <= set(wheel.namelist())


def test_configs_and_tools_are_in_it_for_mim(wheel: zipfile.ZipFile):
    names = set(wheel.namelist())
    for path in [*(ROOT / 'configs').rglob('*.py'), *(ROOT / 'tools').glob('*.*')]:
        assert f'mmact_ssl/.mim/{path.relative_to(ROOT)}' in names
    assert 'mmact_ssl/.mim/model-index.yml' in names
    for only_in_a_checkout in ('research', 'demo_world'):
        assert not [name for name in names if only_in_a_checkout in name]


def test_the_command_is_in_it(wheel: zipfile.ZipFile):
    assert 'mmact_ssl_cli.py' in wheel.namelist()
    (name,) = [name for name in wheel.namelist() if name.endswith('entry_points.txt')]
    assert 'mmact-ssl = mmact_ssl_cli:main' in wheel.read(name).decode()


def test_models_are_in_it_and_mim_knows_where_to_download_them(wheel: zipfile.ZipFile):
    for path in (ROOT / 'zoo').iterdir():
        assert wheel.read(f'mmact_ssl/.mim/zoo/{path.name}') == path.read_bytes()
    index = yaml.safe_load(wheel.read('mmact_ssl/.mim/model-index.yml'))
    weights = {model['Weights'] for model in index['Models'] if 'Weights' in model}
    # A pair names other files, and is no result of a training of its own.
    trained = [path for path in (ROOT / 'zoo').glob('*.safetensors') if not read_card(path).parts]
    assert weights == {f'https://host.example/zoo/{path.name}' for path in trained}


def test_data_files_are_in_it(wheel: zipfile.ZipFile):
    """Weights and tables inside the package, such as the demo's pose teacher."""
    data = {
        str(path.relative_to(ROOT))
        for folder in ('mmact_ssl', 'configs')
        for path in (ROOT / folder).rglob('*')
        if path.suffix in ('.pth', '.onnx', '.json', '.npz', '.html', '.js', '.css')
        and '.mim' not in path.parts
    }
    names = {name.replace('mmact_ssl/.mim/', '') for name in wheel.namelist()}
    assert data <= names


def test_the_metadata_says_what_it_is(wheel: zipfile.ZipFile):
    (name,) = [name for name in wheel.namelist() if name.endswith('.dist-info/METADATA')]
    metadata = message_from_bytes(wheel.read(name))
    assert metadata['Name'] in ('mmact_ssl', 'mmact-ssl')
    assert metadata['Requires-Python'] == '<3.15,>=3.10'
    assert 'mmcv-lite' in '\n'.join(
        line for line in metadata.get_all('Requires-Dist') if 'extra == "lite"' in line
    )
    assert any(name.endswith('LICENSE') for name in wheel.namelist())
