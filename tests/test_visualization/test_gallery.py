"""The gallery: each sentence above the clips that it finds, in order, the right ones marked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import same_color

from mmact_ssl.visualization import Hit, draw_gallery
from mmact_ssl.visualization.gallery import CAPTIONS, MARKS

QUERIES = ['somebody lifts the left hand', 'somebody sits down ' + 'slowly ' * 60]


def hit(number: int, mark: str) -> Hit:
    return Hit(f'clip{number}', np.full((4, 12, 3), 10 * number, np.uint8), mark, 1 - number / 10)


@pytest.fixture
def hits() -> list[list[Hit]]:
    return [[hit(1, ''), hit(2, 'clip'), hit(3, 'class')], [hit(4, 'class'), hit(5, '')]]


def test_each_clip_is_drawn_at_its_rank_with_its_mark(hits):
    figure = draw_gallery(QUERIES, hits)
    rows = list(figure.subfigs)
    assert len(rows) == 2
    for row, query, found in zip(rows, QUERIES, hits):
        assert row.get_suptitle().split() == query.split()
        shown = [axis for axis in row.axes if axis.axison]
        assert len(shown) == len(found)
        for rank, (axis, expected) in enumerate(zip(shown, found), start=1):
            (image,) = axis.get_images()
            np.testing.assert_array_equal(image.get_array(), expected.strip)
            assert axis.get_title() == f'{rank}. {expected.name} ({expected.similarity:.2f})'
            assert axis.get_xlabel() == CAPTIONS[expected.mark]
            colors = {spine.get_edgecolor() for spine in axis.spines.values()}
            assert all(same_color(color, MARKS[expected.mark]) for color in colors)


def test_a_clip_that_searches_has_no_rank():
    (row,) = draw_gallery(['search'], [[hit(1, 'query'), hit(2, 'video'), hit(3, '')]]).subfigs
    assert [axis.get_title() for axis in row.axes] == [
        'clip1',
        '1. clip2 (0.80)',
        '2. clip3 (0.70)',
    ]
    assert row.axes[1].get_xlabel() == 'same video'


def test_a_long_sentence_is_broken_into_lines(hits):
    rows = list(draw_gallery(QUERIES, hits).subfigs)
    assert rows[0].get_suptitle().count('\n') == 0
    assert rows[1].get_suptitle().count('\n') >= 2
