"""A machine that cannot work reads one line, before anything is downloaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from mmact_ssl.upstream import preflight

Usage = namedtuple('Usage', 'total used free')


@pytest.mark.parametrize(
    ('release', 'fits'),
    [((3, 9, 2), False), ((3, 10, 0), True), ((3, 14, 9), True), ((3, 15, 0), False)],
)
def test_another_python_is_refused(monkeypatch, tmp_path, release, fits):
    monkeypatch.setattr(sys, 'version_info', release)
    monkeypatch.setattr(shutil, 'disk_usage', lambda place: Usage(0, 0, 50e9))
    problem = preflight.find_problem(str(tmp_path / 'venv'))
    assert problem == '' if fits else 'needs Python 3.10 to 3.14' in problem


def test_another_system_than_linux_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, 'platform', 'win32')
    assert 'needs Linux' in preflight.find_problem(str(tmp_path))


def test_a_full_disk_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, 'disk_usage', lambda place: Usage(0, 0, 1e9))
    assert f'{tmp_path} has 1.0 GB free' in preflight.find_problem(str(tmp_path / 'venv'))


def test_the_program_needs_the_standard_library_alone():
    code = 'import sys, runpy; runpy.run_path(sys.argv[1]); print("torch" in sys.modules)'
    command = [sys.executable, '-S', '-c', code, preflight.__file__]
    assert subprocess.run(command, capture_output=True, text=True).stdout == 'False\n'
