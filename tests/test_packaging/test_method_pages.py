"""Each method's page is short, in one order, and its flow is as drawn."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from docs.draw_flows import FLOWS, FOLDER, WIDTH, draw

SECTIONS = [
    'What it learns',
    "Equations, with the code's names",
    'What is published and what is ours',
    'Config',
    'Commands',
    'Results',
    'Picture',
]


@pytest.mark.parametrize('name', FLOWS)
def test_a_page_has_its_order_and_the_flow_as_drawn_for_a_phone(name: str):
    page = (FOLDER.parent / f'{name}.md').read_text(encoding='utf-8')
    found = re.findall(r'^## (.*)$', page, re.MULTILINE)
    assert found in (SECTIONS, SECTIONS[:-1]) or name.startswith('rivals')
    flow = (FOLDER / f'{name}_flow.svg').read_text(encoding='utf-8')
    assert flow == draw(*FLOWS[name]), 'run python docs/draw_flows.py'
    assert float(ElementTree.fromstring(flow).get('width')) == WIDTH <= 360
    assert f'(pictures/{name}_flow.svg)' in page
