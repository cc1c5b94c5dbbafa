"""The documentation names files, tools, options and parts that exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')])
every_page = pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    return re.sub(r'^```.*?^```', '', page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Names that GitHub gives the headings of a page."""
    headings = re.findall(r'^#+ (.*)$', prose(page), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@every_page
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r'\]\((?!https?://|mailto:)([^)\s]+)', prose(page)):
        file, _, anchor = target.partition('#')
        found = page.parent / file if file else page
        assert found.exists(), f'{page.name}: {target}'
        assert not anchor or anchor in anchors(found), f'{page.name}: {target}'


@every_page
def test_files_that_are_named_exist(page: Path):
    text = page.read_text()
    named = set(re.findall(r'\b(?:tools|configs|mmact_ssl)/[\w/.-]+\.(?:py|sh|json|pth)\b', text))
    named |= set(re.findall(r'`((?:tools|configs|mmact_ssl)/[\w/-]+/)`', text))
    # What the page itself tells to write: a comment or a line with the name above an example, or
    # the target of a command.
    written = set(re.findall(r'^# (\S+\.py)$|^`(\S+\.py)`:?$|> (\S+\.py)', text, re.MULTILINE))
    missing = named - {name for names in written for name in names}
    missing = {path for path in missing if not (ROOT / path).exists()}
    assert missing == set(), page.name


@every_page
def test_classes_that_are_named_exist(page: Path):
    text = page.read_text()
    named = set(re.findall(r"\btype='([A-Z]\w+)'", text))
    named |= set(
        re.findall(r'`(\w+(?:Head|Loss|Teacher|Hook|Dataset|Weights|Views|Targets))\b', text)
    )
    known = {'DefaultSampler', *re.findall(r'^class (\w+)', text, re.MULTILINE)}
    for path in (ROOT / 'mmact_ssl').rglob('*.py'):
        known |= set(re.findall(r'^class (\w+)', path.read_text(), re.MULTILINE))
    assert named - known == set(), page.name


def test_the_readme_is_short_and_has_one_table_of_results():
    text = (ROOT / 'README.md').read_text()
    assert len(text.splitlines()) <= 150
    (table,) = re.findall(r'<!-- results:.*?<!-- /results', text, re.DOTALL)
    assert len(re.findall(r'^\| ', table, re.MULTILINE)) - 2 <= 12


def test_every_page_is_in_the_index():
    index = (ROOT / 'docs' / 'README.md').read_text()
    for page in (ROOT / 'docs').rglob('*.md'):
        assert page.name == 'README.md' or f'({page.relative_to(ROOT / "docs")})' in index


def test_the_options_of_the_training_program_are_all_explained():
    program = (ROOT / 'tools' / 'train.py').read_text()
    options = set(re.findall(r"'(--[a-z-]+)'", program)) - {'--local-rank'}
    page = (ROOT / 'docs' / 'get_started.md').read_text()
    assert {option for option in options if f'`{option}' not in page} == set()


def test_the_page_of_parts_is_that_of_the_registries(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    # Parts that other tests have registered are not the package's.
    from tools.list_parts import HEAD, PAGE, find_parts, make_page

    page = PAGE.read_text()
    assert page.startswith(HEAD)
    assert page == make_page(), 'run python tools/list_parts.py'
    for parts in find_parts().values():
        for name, part in parts.items():
            assert (part.__doc__ or '').strip(), f'{name} has no docstring'
            assert sys.modules[part.__module__]
