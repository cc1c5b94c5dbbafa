"""Each method's page is short, has one table and one picture, and its figures are the table's."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from docs.draw_flows import FLOWS, FOLDER, WIDTH, Box, draw

PAGES = Path(__file__).parents[2] / 'docs/methods'
every_method = pytest.mark.parametrize('name', ('csvr', 'dtg', 'hcpg', 'ms2l', 'c2vl'))
SECTIONS = [
    'What it learns',
    "Equations, with the code's names",
    'What is published and what is ours',
    'Config',
    'Commands',
    'Results',
    'Picture',
]


def page(name: str) -> str:
    return (PAGES / f'{name}.md').read_text(encoding='utf-8')


def results(name: str) -> tuple[list[list[str]], str]:
    """Cells of the table of results, its heading first, and the text below it."""
    _, block, text = re.split(r'<!-- /?results:\S+ -->', page(name))
    rows = [line.strip('|').split('|') for line in block.splitlines() if line.startswith('|')]
    cells = [[cell.strip() for cell in row] for row in rows]
    return [cells[0], *cells[2:]], text.split('\n## ')[0]


@every_method
def test_the_order_of_a_page(name: str):
    text = page(name)
    pictures = re.findall(r'^!\[', text, re.MULTILINE)
    assert 1 <= len(pictures) <= 2, 'the flow, and what it predicts where that can be seen'
    assert re.findall(r'^## (.*)$', text, re.MULTILINE) == SECTIONS[: len(pictures) + 5]
    assert len(text.splitlines()) <= 150


@every_method
def test_one_small_table_of_results(name: str):
    rows, _ = results(name)
    assert 3 <= len(rows) <= 7 and len(rows[0]) <= 5


@every_method
def test_the_picture_is_seen(name: str):
    for file in re.findall(r'\((pictures/\w+\.png)\)', page(name)):
        width, height = Image.open(PAGES / file).size
        assert 600 <= width <= 1200 and height <= 1200


@every_method
def test_figures_of_the_text_are_those_of_the_table(name: str):
    """A figure is a cell, or the difference of two cells of one data set and column."""
    rows, text = results(name)
    num_labels = rows[0].index('Linear')
    of_data: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows[1:]:
        for column, cell in enumerate(row[num_labels:]):
            if cell != '-':
                data = row[0] if num_labels == 2 else ''
                of_data[data, column].append(float(cell.split()[0]))
    known = {value for cells in of_data.values() for value in cells}
    gains = {round(abs(a - b)) for cells in of_data.values() for a, b in combinations(cells, 2)}
    text = re.sub(r'\]\([^)]*\)|`[^`]*`|chance is \d+ %', '', text)
    text = text.replace('view 3', '').replace('views 1 and 2', '')
    for figure in re.findall(r'\d+(?:\.\d+)?', text):
        found = float(figure) in known if '.' in figure else int(figure) in gains
        assert found, f'{name}: {figure} is not in the table'


@pytest.mark.parametrize('name', FLOWS)
def test_the_flow_is_as_drawn_and_fits_a_phone(name: str):
    file = FOLDER / f'{name}_flow.svg'
    text = file.read_text(encoding='utf-8')
    assert text == draw(*FLOWS[name]), 'run python docs/draw_flows.py'
    picture = ElementTree.fromstring(text)
    assert float(picture.get('width')) == WIDTH <= 360
    assert f'(pictures/{name}_flow.svg)' in page(name)
    assert not re.search('[─│┌└├►]', page(name))


def test_a_text_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match='wider than its box'):
        draw('', dict(box=Box(0, 50, 60, 'a long line of text', 'data')), '')
    with pytest.raises(ValueError, match='outside the picture'):
        draw('', dict(box=Box(0, 20, 60, 'text', 'data')), '')
