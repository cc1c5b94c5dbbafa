"""The budget of the house: lines by room, files and words. A number here only ever falls."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = 27_923
ROOMS = {
    '.': 250,
    'apis': 2_549,
    'configs': 362,
    'datasets': 4_531,
    'encoders': 303,
    'engine': 1_983,
    'evaluation': 2_214,
    'labeling': 613,
    'io': 1_465,
    'models': 7_776,
    'preparation': 2_217,
    'prompts': 623,
    'targets': 1_838,
    'upstream': 460,
    'visualization': 739,
}
TESTS = 32_799
TOOLS = 1_551  # of a wheel: without the demo world
CONFIG_FILES, CONFIG_LINES, TOP_CONFIGS = 129, 2_968, 44
PAGE_LINES, PAGE_WORDS = 3_170, 29_400
LONGEST = 400


def count(paths: Iterable[Path]) -> int:
    return sum(len(path.read_text(encoding='utf-8').splitlines()) for path in paths)


def sources(folder: str, pattern: str = '**/*.py') -> list[Path]:
    """Files of a folder of the repository, without the links of ``mmact_ssl/.mim``."""
    return [p for p in (ROOT / folder).glob(pattern) if '.mim' not in p.parts]


def test_package() -> None:
    assert count(sources('mmact_ssl')) <= PACKAGE


def test_every_room_has_a_budget() -> None:
    rooms = {p.parent.relative_to(ROOT / 'mmact_ssl').parts for p in sources('mmact_ssl')}
    assert {parts[0] if parts else '.' for parts in rooms} == set(ROOMS)


@pytest.mark.parametrize('room', ROOMS)
def test_room(room: str) -> None:
    paths = sources('mmact_ssl', '*.py' if room == '.' else f'{room}/**/*.py')
    assert count(paths) <= ROOMS[room]


def test_tests_and_tools() -> None:
    assert count(sources('tests')) <= TESTS
    assert count(sources('tools', '*.py')) <= TOOLS


def test_configs() -> None:
    paths = sources('configs')
    assert len(paths) <= CONFIG_FILES
    assert count(paths) <= CONFIG_LINES
    assert len(sources('configs', '*.py')) <= TOP_CONFIGS


def test_pages() -> None:
    pages = sources('docs', '**/*.md')
    assert count(pages) <= PAGE_LINES
    assert sum(len(page.read_text(encoding='utf-8').split()) for page in pages) <= PAGE_WORDS


def test_no_file_is_too_long() -> None:
    paths = [p for folder in ('mmact_ssl', 'tests', 'tools', 'configs') for p in sources(folder)]
    too_long = {str(p.relative_to(ROOT)): n for p in paths if (n := count([p])) > LONGEST}
    assert not too_long
