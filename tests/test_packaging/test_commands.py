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


def call(*words: str) -> subprocess.CompletedProcess[str]:
    """Call a command in a program that must not import the package."""
    code = WATCHED.format(words=', '.join(map(repr, words)))
    return subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)


def run(*words: str) -> str:
    result = call(*words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_help_lists_the_commands_and_waits_for_no_import():
    shown = run('--help')
    names = 'train', 'evaluate', 'extract', 'label', 'prepare', 'pretrain', 'publish', 'search'
    for name in names:
        assert f'\n  {name} ' in shown
    assert 'list_parts' not in shown and 'study' not in shown
    assert run() == shown


@pytest.mark.parametrize('command', mmact_ssl_cli.find_tools())
def test_help_of_a_command_waits_for_no_import(command: str):
    assert run(command, '--help').startswith(f'usage: mmact-ssl {command} ')


def test_a_command_that_is_not_there():
    with pytest.raises(SystemExit, match="no command 'trian', there are compare, "):
        mmact_ssl_cli.main(['trian'])


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        ('search m my/videos', 'my/videos: there is no such file or folder'),
        ('search m', 'name clips for the index, a --query or a --text'),
        ('visualize gallery m my/videos', 'my/videos: there is no such file or folder'),
    ],
)
def test_a_wrong_word_is_told_before_anything_is_imported(words, told):
    result = call(*words.split())
    assert result.returncode == 2
    assert result.stderr.endswith(f': {told}\n'), result.stderr


def test_arguments_reach_the_tool(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        mmact_ssl_cli.main(['train', 'xyzzyx.py'])
    assert end.value.code == 2
    assert capsys.readouterr().err == 'error: xyzzyx.py: no such config, see configs/\n'


@pytest.mark.parametrize('path', sorted(ROOT.glob('tools/**/*.py')), ids=lambda path: path.stem)
def test_every_tool_has_the_parser_that_knows_the_home_folder(path: Path):
    if path.stem != 'setup_environment':  # runs before the package is installed
        assert 'ArgumentParser(' not in path.read_text()


@pytest.mark.parametrize(
    'word',
    ['--out=~/x', '--cfg-options=load_from=~/x', '~/x', '--cfg-options load_from=~/x', '--out ~'],
)
def test_the_home_folder_is_expanded_where_shells_do_not(monkeypatch, word):
    monkeypatch.setenv('HOME', '/home/me')
    tool = mmact_ssl_cli.load_tool('evaluate')  # has positional words after its options
    argv = ['evaluate', 'knn', '--random', '--set', 'demo', '--encoder', 'gru']
    monkeypatch.setattr('sys.argv', argv)
    assert tool.parse_args().encoder == 'gru'
    words = ['knn', *word.split(), '--set=a/~/b', *([] if word == '~/x' else ['m.pth'])]
    args = tool.parse_args(words)
    found = args.out or (args.cfg_options or [args.checkpoint])[0]
    assert found.removeprefix('load_from=').startswith('/home/me')
    assert args.set == 'a/~/b'


def test_the_report_says_what_is_here():
    rows = dict(describe())
    assert rows['torch'] and rows['mmengine']
    assert 'fix_missing_drn' in rows['fixes that act']
    assert rows['GPU'] and rows['mmcv operators']
