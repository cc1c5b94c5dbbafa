"""mmpose and its like are installed beside what is there, and move none of it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path

import pytest

from tools import setup_environment


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], set[str]]]:
    """What pip is asked for, and the constraints beside it; nothing is installed."""
    calls = []

    def record(command: list[str], check: bool) -> None:
        assert check
        assert command[:4] == [sys.executable, '-m', 'pip', 'install']
        files = [Path(path) for option, path in pairwise(command) if option == '-c']
        calls.append((command, {line for file in files for line in file.read_text().split('\n')}))

    monkeypatch.setattr(subprocess, 'run', record)
    return calls


def test_nothing_that_is_installed_moves(calls, monkeypatch: pytest.MonkeyPatch):
    absent = {'json-tricks', 'terminaltables', 'ftfy', 'pycocotools', 'chumpy', 'xtcocotools'}
    monkeypatch.setattr(setup_environment, 'installed', lambda name: name not in absent)
    setup_environment.install_openmmlab([])
    (packages, _), (needed, constraints) = calls
    assert '--no-deps' in packages
    assert set(setup_environment.PACKAGES) <= set(packages)
    assert constraints == {f'{item.name}=={item.version}' for item in distributions()}
    assert set(needed[needed.index('-c') + 2 :]) == absent - {'chumpy', 'xtcocotools'}
    assert all('--only-binary' in command for command, _ in calls)


def test_mmcv_lite_comes_only_where_there_is_no_mmcv(calls, monkeypatch: pytest.MonkeyPatch):
    for absent in (set(), {'mmcv'}, {'mmcv-lite'}, {'mmcv', 'mmcv-lite'}):
        calls.clear()
        monkeypatch.setattr(setup_environment, 'installed', lambda name, _=absent: name not in _)
        setup_environment.install_openmmlab([])
        assert ('mmcv-lite>=2.0,<2.2' in calls[0][0]) == (len(absent) == 2)
        assert absent or len(calls) == 1, 'nothing more is needed'


def test_what_pip_printed_is_not_followed_by_a_traceback(monkeypatch: pytest.MonkeyPatch):
    def fail(command: list[str], check: bool) -> None:
        raise subprocess.CalledProcessError(7, command)

    monkeypatch.setattr(subprocess, 'run', fail)
    monkeypatch.setattr(sys, 'argv', ['setup_environment.py', 'openmmlab'])
    with pytest.raises(SystemExit) as ended:
        setup_environment.main()
    assert ended.value.code == 7
