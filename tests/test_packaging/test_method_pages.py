"""Each method's page is short, in one order, and its flow is as drawn."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.draw_flows import FLOWS, FOLDER, WIDTH, draw

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


@every_method
def test_the_order_of_a_page(name: str):
    text = page(name)
    pictures = re.findall(r'^!\[', text, re.MULTILINE)
    assert 1 <= len(pictures) <= 2, 'the flow, and what it predicts where that can be seen'
    assert re.findall(r'^## (.*)$', text, re.MULTILINE) == SECTIONS[: len(pictures) + 5]
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize('name', FLOWS)
def test_the_flow_is_as_drawn_and_fits_a_phone(name: str):
    file = FOLDER / f'{name}_flow.svg'
    text = file.read_text(encoding='utf-8')
    assert text == draw(*FLOWS[name]), 'run python docs/draw_flows.py'
    picture = ElementTree.fromstring(text)
    assert float(picture.get('width')) == WIDTH <= 360
    assert f'(pictures/{name}_flow.svg)' in page(name)
    assert not re.search('[─│┌└├►]', page(name))
