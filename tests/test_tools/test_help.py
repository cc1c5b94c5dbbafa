"""``--help`` answers at once: no tool imports torch before it has read its arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELP = """
import runpy, sys
sys.argv = [sys.argv[1], '--help']
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
finally:
    assert not {'torch', 'mmengine', 'mmact_ssl'} & set(sys.modules)
"""


@pytest.mark.parametrize('tool', sorted(path.stem for path in (ROOT / 'tools').glob('*.py')))
def test_help_waits_for_no_import(tool: str):
    command = [sys.executable, '-c', HELP, f'tools/{tool}.py']
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('usage: ')
