"""The documentation names files, tools and options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')])


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    prose = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r'\]\((?!https?://|#|mailto:)([^)#\s]+)', prose):
        assert (page.parent / target).exists(), f'{page.name}: {target}'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_tools_and_configs_that_exist(page: Path):
    text = page.read_text()
    # A config that the page itself tells to write begins with its own name in a comment, or is
    # copied from another.
    written = set(re.findall(r'^(?:#|cp \S+) (configs/\S+\.py)', text, re.MULTILINE))
    for path in set(re.findall(r'\b(?:tools|configs)/[\w/.-]+\.(?:py|sh)\b', text)) - written:
        assert (ROOT / path).is_file(), f'{page.name}: {path}'


def test_the_options_of_the_training_program_are_all_explained():
    program = (ROOT / 'tools' / 'train.py').read_text()
    options = set(re.findall(r"'(--[a-z-]+)'", program)) - {'--local-rank'}
    page = (ROOT / 'docs' / 'get_started.md').read_text()
    assert {option for option in options if f'`{option}' not in page} == set()
