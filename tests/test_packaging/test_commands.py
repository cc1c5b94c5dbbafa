"""The command ``mmact-ssl`` and ``python -m mmact_ssl``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mmact_ssl_cli
from mmact_ssl.__main__ import describe

ROOT = Path(__file__).parents[2]
WATCHED = """
import sys
sys.argv = ['mmact-ssl', {words}]
import mmact_ssl_cli
try:
    mmact_ssl_cli.main()
finally:
    assert not {{'torch', 'mmengine', 'mmact_ssl'}} & set(sys.modules)
"""


def run(*words: str) -> str:
    code = WATCHED.format(words=', '.join(map(repr, words)))
    result = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_help_lists_the_commands_and_waits_for_no_import():
    shown = run('--help')
    for name in (
        'train',
        'evaluate',
        'test',
        'extract',
        'prepare',
        'pretrain',
        'publish',
        'visualize',
    ):
        assert f'\n  {name} ' in shown
    assert 'list_parts' not in shown and 'study' not in shown
    assert run() == shown


def test_a_tool_is_called_by_its_command():
    assert run('train', '--help').startswith('usage: mmact-ssl train [-h]')


def test_a_command_that_is_not_there():
    with pytest.raises(SystemExit, match="no command 'trian', there are download, "):
        mmact_ssl_cli.main(['trian'])


def test_arguments_reach_the_tool(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        mmact_ssl_cli.main(['train', 'xyzzyx.py'])
    assert end.value.code == 2
    assert capsys.readouterr().err == 'error: xyzzyx.py: no such config, see configs/\n'


def test_the_report_says_what_is_here():
    rows = dict(describe())
    assert rows['torch'] and rows['mmengine']
    assert 'fix_checkpoint_loading' in rows['fixes that act']
    assert rows['GPU'] and rows['mmcv operators']
