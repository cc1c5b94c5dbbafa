"""Descriptions of classes: each to its class, and a line that fits none is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.nwucla import CLASSES as NWUCLA
from mmact_ssl.prompts.class_texts import read_class_texts
from mmact_ssl.prompts.sentence_file import read_sentences

CLASSES = ['sit', 'sit down', 'bend, then rise']


def write(tmp_path, text: str, name: str = 'lines.txt') -> str:
    path = tmp_path / name
    path.write_text(text, encoding='utf-8')
    return str(path)


def test_all_separators_any_order_several_files(tmp_path):
    first = write(
        tmp_path, 'Sit down ; lowers; and rests.\n\nbend, then rise, bows.\nsit,is seated, upright'
    )
    second = write(tmp_path, '\ufeffsit;a\nsit down\tb\nbend, then rise \t; c\n', 'second.txt')
    assert read_class_texts([first, second], CLASSES) == {
        'sit': ['is seated, upright', 'a'],
        'sit down': ['lowers; and rests.', 'b'],
        'bend, then rise': ['bows.', 'c'],
    }


def test_in_order_names_do_not_count(tmp_path):
    file = write(tmp_path, 'sitting, one\ngoing down; two, really\nsit; three\n')
    assert read_class_texts([file], CLASSES, in_order=True) == {
        'sit': ['one'],
        'sit down': ['two, really'],
        'bend, then rise': ['three'],
    }
    with pytest.raises(DataError, match='lines.txt: 3 lines for 2 classes'):
        read_class_texts([file], CLASSES[:2], in_order=True)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('sit;a\njump;b', r"lines.txt:2: no class 'jump': .*--in-order"),
        ('sit;a\nsit;b', "lines.txt:2: a second line about 'sit'"),
        ('sit;a\nsit down;  ', 'lines.txt:2: no description'),
        ('sit;a', "no line about 2 classes, e.g. 'sit down'"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_class_texts([write(tmp_path, text)], CLASSES)


def test_those_that_come_with_the_configs_have_every_class():
    texts = Path(__file__).parents[2] / 'configs' / 'class_texts'
    assert [file.name for file in texts.iterdir()] == ['nwucla.json']
    assert list(read_sentences(texts / 'nwucla.json')) == list(NWUCLA.values())
