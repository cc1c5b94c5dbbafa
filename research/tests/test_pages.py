"""Pages of research/ are short, and name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / 'research').rglob('*.md'))


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_links_and_files_that_are_named_exist(page: Path):
    text = page.read_text(encoding='utf-8')
    prose = re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r'\]\((?!https?://)([^)#\s]+)', prose):
        assert (page.parent / target).exists(), target
    named = re.findall(r'(?<!\S)`?((?:tools|configs|research)/[\w/.-]+\.(?:py|json))', text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_a_page_is_short(page: Path):
    assert len(page.read_text(encoding='utf-8').splitlines()) <= 120
