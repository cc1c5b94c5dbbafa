"""Imports run one way, also those inside functions: no room knows a room that comes after it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ['upstream', 'io', 'configs', 'datasets', 'preparation', 'models', 'prompts', 'targets']
ROOMS += ['engine', 'encoders', 'evaluation', 'labeling', 'apis', 'visualization']


def imported(file: Path) -> set[str]:
    """Rooms of this package that a file imports from; modules beside them are the ground floor."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    parts = [name.split('.') for name in names]
    return {part[1] for part in parts if part[0] == 'mmact_ssl' and part[1:]} & {*ROOMS}


@pytest.mark.parametrize('room', ['', *ROOMS], ids=lambda room: room or 'ground floor')
def test_no_room_imports_from_one_that_comes_after_it(room: str):
    package = ROOT / 'mmact_ssl'
    files = (package / room).rglob('*.py') if room else package.glob('*.py')
    allowed = {*ROOMS[: ROOMS.index(room) + 1]} if room else {'upstream', 'io', 'configs'}
    later = {file.name: wrong for file in files if (wrong := imported(file) - allowed)}
    assert not later


def test_upstream_imports_nothing_of_ours_but_errors():
    texts = [file.read_text() for file in (ROOT / 'mmact_ssl/upstream').glob('*.py')]
    names = re.findall(r'(?:from|import) mmact_ssl\.?(\w*)', '\n'.join(texts))
    assert {*names} <= {'upstream', 'errors'}


def test_nothing_of_the_product_knows_the_research_beside_it():
    folders = [ROOT / name for name in ('mmact_ssl', 'tools', 'tests', 'configs', 'docs')]
    files = [
        path
        for folder in folders
        for path in folder.rglob('*')
        if path.suffix in ('.py', '.sh', '.md', '.ipynb') and path != Path(__file__)
    ]
    files.remove(ROOT / 'docs/results.md')  # may say where its tables come from
    named = re.compile(r'\bresearch/|\bresearch\.[a-z]|\bimport research\b')
    assert [path for path in files if named.search(path.read_text(encoding='utf-8'))] == []
