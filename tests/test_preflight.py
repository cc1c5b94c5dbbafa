"""A machine that cannot work reads one line, before anything is downloaded."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from mmact_ssl import preflight

Usage = namedtuple('Usage', 'total used free')


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine on which the package works, whatever runs the tests."""
    monkeypatch.setattr(platform, 'machine', lambda: 'x86_64')
    monkeypatch.setattr(platform, 'libc_ver', lambda: ('glibc', '2.36'))
    monkeypatch.setattr(sys, 'platform', 'linux')


def error_of(check, *args) -> str:
    with pytest.raises(ImportError) as caught:
        check(*args)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('release', [(3, 8, 18), (3, 9, 2), (3, 15, 0), (4, 0, 0)])
def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch, release: tuple[int, int, int]):
    monkeypatch.setattr(sys, 'version_info', release)
    assert 'needs Python 3.10 to 3.14' in error_of(preflight.check_machine)


@pytest.mark.parametrize('release', [(3, 10, 0), (3, 14, 9)])
def test_the_first_and_the_last_python_are_taken(
    monkeypatch: pytest.MonkeyPatch, release: tuple[int, int, int]
):
    monkeypatch.setattr(sys, 'version_info', release)
    preflight.check_machine()


def test_a_machine_without_torch_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(platform, 'machine', lambda: 'armv7l')
    assert 'no build for armv7l' in error_of(preflight.check_machine)
    monkeypatch.setattr(platform, 'machine', lambda: 'x86_64')
    monkeypatch.setattr(platform, 'libc_ver', lambda: ('', ''))
    assert 'without glibc' in error_of(preflight.check_machine)


@pytest.mark.parametrize(('system', 'name'), [('win32', 'Windows-10'), ('darwin', 'macOS-14.5')])
def test_another_system_than_linux_is_named(monkeypatch: pytest.MonkeyPatch, system, name):
    monkeypatch.setattr(sys, 'platform', system)
    monkeypatch.setattr(platform, 'platform', lambda terse: name)
    monkeypatch.setattr(platform, 'machine', lambda: 'AMD64')  # as Windows names it
    error = error_of(preflight.check_machine)
    assert f'needs Linux, this is {name}: ' in error and 'WSL 2' in error


@pytest.mark.parametrize(('free', 'fits'), [(1e9, False), (5e9, True), (50e9, True)])
def test_a_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path, capsys, free, fits):
    monkeypatch.setattr(shutil, 'disk_usage', lambda place: Usage(0, 0, free))
    folder = str(tmp_path / 'not' / 'yet' / 'there')
    if not fits:
        assert f'{tmp_path} has 1.0 GB free' in error_of(preflight.check_space, folder)
        return
    preflight.check_space(folder)
    assert ("too little for torch's CUDA build" in capsys.readouterr().err) == (free < 9e9)


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Installed versions, which a test changes; every requirement of the package is met."""
    import importlib.metadata

    lines = ['numpy<3,>=1.26', 'mmengine<1,>=0.10', "mmcv-lite<2.2,>=2.0; extra == 'lite'"]
    monkeypatch.setattr(importlib.metadata, 'requires', lambda name: lines)
    versions = {'numpy': '2.3.5', 'mmengine': '0.10.7', 'mmcv-lite': '2.1.0'}
    monkeypatch.setattr(preflight, 'version_of', lambda name: versions.get(name, ''))
    return versions


def test_a_good_environment_is_taken(versions: dict[str, str]):
    preflight.check_environment()
    versions['mmcv'] = versions.pop('mmcv-lite')
    versions['mmengine-lite'] = versions.pop('mmengine')
    preflight.check_environment()


@pytest.mark.parametrize(
    ('name', 'version', 'message'),
    [
        ('numpy', '3.0.1', "numpy 3.0.1 is installed: pip install 'numpy<3,>=1.26'"),
        ('numpy', '1.25.0', 'numpy 1.25.0 is installed'),
        ('mmengine', '', "it is not installed: pip install 'mmengine<1,>=0.10'"),
        ('mmcv-lite', '', "it is not installed: pip install 'mmcv-lite<2.2,>=2.0'"),
        ('mmcv-lite', '2.2.0', 'mmcv-lite 2.2.0 is installed'),
        ('mmcv', '2.1.0', 'mmcv and mmcv-lite are both installed'),
    ],
)
def test_a_wrong_environment_is_one_line(versions, name, version, message):
    versions[name] = version
    assert message in error_of(preflight.check_environment)


def test_an_opencv_without_its_libraries_is_one_line(versions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, 'cv2', None)
    assert 'opencv-python-headless' in error_of(preflight.check_environment)


def test_the_program_ends_with_one_line(tmp_path: Path):
    """The disk is that of the folder for temporary files, too."""
    command = [sys.executable, preflight.__file__, '--install', str(tmp_path)]
    lie = tmp_path / 'sitecustomize.py'
    lie.write_text('import sys; sys.version_info = (3, 8, 1, "final", 0)')
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith('error: mmact_ssl needs Python 3.10 to 3.14')


def test_it_imports_nothing_but_the_standard_library():
    code = 'import sys, runpy; runpy.run_path(sys.argv[1]); print("torch" in sys.modules)'
    command = [sys.executable, '-S', '-c', code, preflight.__file__]
    assert subprocess.run(command, capture_output=True, text=True).stdout == 'False\n'
