"""Pages that users read are short and in short sentences. Evidence is free."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EVIDENCE = ('citation', 'results')
PAGES = [p for p in sorted((ROOT / 'docs').rglob('*.md')) if p.stem not in EVIDENCE]


def read_sentences(text: str) -> list[str]:
    """Sentences of a Markdown page without code, tables, formulas, headings and addresses."""
    text = re.sub(r'^ *(```|~~~|\$\$).*?^ *\1', '', text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r'<!--.*?-->', '', text, flags=re.DOTALL)
    text = re.sub(r'^(?:#|\s*\|| {4}).*$', '', text, flags=re.MULTILINE)
    text = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', text)
    text = re.sub(r'`+[^`]*`+', 'code', text).replace('*', '')
    blocks = re.split(r'\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )', text)
    sentences = [re.split(r'(?<=[.!?])["”)]*\s+', ' '.join(block.split())) for block in blocks]
    return [line for lines in sentences for line in lines]


@pytest.mark.parametrize(
    'page', [ROOT / 'README.md', *PAGES], ids=lambda page: str(page.relative_to(ROOT))
)
def test_no_sentence_table_or_page_is_too_long(page: Path):
    text = page.read_text(encoding='utf-8')
    assert len(text.splitlines()) <= 200
    words = r"[^\W\d_][\w'-]*|\d[\d.,]*"
    assert [s for s in read_sentences(text) if len(re.findall(words, s)) > 35] == []
    rulers = re.findall(r'^\|(?: *:?-+:? *\|)+$', text, re.MULTILINE)
    assert [ruler for ruler in rulers if ruler.count('|') > 9] == []
