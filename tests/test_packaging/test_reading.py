"""Pages that users read are short and in plain sentences. Evidence is free."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EVIDENCE = ('citation', 'model_cards', 'results')
PAGES = [p for p in sorted((ROOT / 'docs').rglob('*.md')) if p.stem not in EVIDENCE]
PROSE = [ROOT / 'README.md', *(p for p in PAGES if p.parent.name in ('start', 'methods'))]
CODE = 'code'  # one word for each name in backticks


def every(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize('page', pages, ids=lambda page: str(page.relative_to(ROOT)))


def read_sentences(text: str) -> list[str]:
    """Sentences of a Markdown page without code, tables, formulas, headings and addresses."""
    text = re.sub(r'^ *(```|~~~|\$\$).*?^ *\1', '', text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r'<!--.*?-->', '', text, flags=re.DOTALL)
    text = re.sub(r'^(?:#|\s*\|| {4}).*$', '', text, flags=re.MULTILINE)
    text = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', text)
    text = re.sub(r'`+[^`]*`+', CODE, text).replace('*', '')
    blocks = re.split(r'\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )', text)
    sentences = [re.split(r'(?<=[.!?])["”)]*\s+', ' '.join(block.split())) for block in blocks]
    return [line for lines in sentences for line in lines if read_words(line)]


def read_words(sentence: str) -> list[str]:
    return re.findall(r"[^\W\d_][\w'-]*|\d[\d.,]*", sentence)


def count_syllables(word: str) -> int:
    """Groups of vowels, without a silent e: within 4 points of reading ease of CMU's dictionary."""
    word = word.lower()
    silent = re.search(r'[^aeiouyl]e$|[^aeiouytd]ed$', word) is not None
    return max(1, len(re.findall('[aeiouy]+', word)) - silent)


def reading_ease(sentences: list[str]) -> float:
    """Flesch (1948): 100 is very easy, 60 plain, 30 very hard."""
    words = [word for sentence in sentences for word in read_words(sentence)]
    syllables = sum(map(count_syllables, words))
    return 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * syllables / len(words)


def test_the_measure_tells_plain_from_hard():
    plain = ['The cat sat on the mat.', 'It is glad.']
    hard = ['Heterogeneous instrumentation necessitates interdisciplinary standardization.']
    assert reading_ease(plain) > 100 and reading_ease(hard) < 0
    assert [count_syllables(w) for w in ('trained', 'labeled', 'table', 'separate')] == [1, 2, 2, 3]
    page = '# A head\nOne `x.y` is. Two\nare.\n\n| a | b |\n\n- three [and](four.md)\n- five\n'
    expected = ['One code is.', 'Two are.', '- three and', '- five']
    assert read_sentences(page) == expected


@every(PROSE)
def test_a_page_is_easy_to_read(page: Path):
    ease = reading_ease(read_sentences(page.read_text(encoding='utf-8')))
    assert ease >= 55, f'Flesch reading ease {ease:.0f}'


@every([ROOT / 'README.md', *PAGES])
def test_no_sentence_table_or_page_is_too_long(page: Path):
    text = page.read_text(encoding='utf-8')
    assert len(text.splitlines()) <= 200
    assert [s for s in read_sentences(text) if len(read_words(s)) > 35] == []
    rulers = re.findall(r'^\|(?: *:?-+:? *\|)+$', text, re.MULTILINE)
    assert [ruler for ruler in rulers if ruler.count('|') > 9] == []
