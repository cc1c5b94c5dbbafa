"""The gallery: each search above the clips that it finds, in order, the right ones marked."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.colors import same_color

from mmact_ssl.visualization import gallery
from mmact_ssl.visualization.gallery import MARKS, Hit, draw_gallery, nearest_clips

QUERIES = ['somebody lifts the left hand', 'somebody sits down ' + 'slowly ' * 60]
NAMES = ['one', 'two', 'three', 'four']


def test_each_clip_is_drawn_at_its_rank_with_its_mark():
    one, two, three, four, five = (
        Hit(f'clip{number}', np.full((4, 12, 3), 10 * number, np.uint8), mark, 1 - number / 10)
        for number, mark in enumerate(('', 'video', '', 'video', ''), start=1)
    )
    hits = [[one, two, three], [four, five]]
    rows = list(draw_gallery(QUERIES, hits).subfigs)
    assert len(rows) == 2
    for row, query, found in zip(rows, QUERIES, hits):
        assert row.get_suptitle().split() == query.split()
        shown = [axis for axis in row.axes if axis.axison]
        assert len(shown) == len(found)
        for rank, (axis, expected) in enumerate(zip(shown, found), start=1):
            (image,) = axis.get_images()
            np.testing.assert_array_equal(image.get_array(), expected.strip)
            assert axis.get_title() == f'{rank}. {expected.name} ({expected.similarity:.2f})'
            caption, color = MARKS[expected.mark]
            assert axis.get_xlabel() == caption
            assert all(same_color(s.get_edgecolor(), color) for s in axis.spines.values())
    assert rows[0].get_suptitle().count('\n') == 0
    assert rows[1].get_suptitle().count('\n') >= 2, 'a long sentence is broken into lines'


def test_searches_of_a_video_stand_in_their_order_and_the_nearest_first(monkeypatch):
    monkeypatch.setattr(gallery, 'FOUND', 2)
    own = torch.tensor([[0.9, 0.1, 0.2, -0.3], [0.0, 0.1, 0.3, 0.2]]).repeat(2, 1)
    student = -own
    frames = [np.arange(4 * 5).reshape(4, 5, 1, 1, 1).repeat(3, 4).astype(np.uint8)] * 2
    frames[1] = frames[1] + 100
    searches = dict(image=own, student=student, pose=student, other=own)
    titles, rows = nearest_clips(searches, frames, NAMES, queries=2)
    assert titles == 2 * ['image', 'student', 'pose', 'other']
    shown = [[(hit.name, hit.mark) for hit in row] for row in rows[:2]]
    assert shown[0] == [('one', 'query'), ('one', 'video'), ('three', '')]
    assert shown[1] == [('one', 'query'), ('four', ''), ('two', '')]
    assert [row[0].name for row in rows[4:]] == 4 * ['two']
    assert [hit.name for hit in rows[4][1:]] == ['three', 'four']
    np.testing.assert_allclose([hit.similarity for hit in rows[0][1:]], [0.9, 0.2], rtol=1e-6)
    # First, middle and last frame: of the clip that searches, and of the other clip of a video.
    assert rows[0][0].strip[0, :, 0].tolist() == [0, 2, 4]
    assert rows[0][2].strip[0, :, 0].tolist() == [110, 112, 114]
    monkeypatch.setattr(gallery, 'FOUND', 9)  # no more are shown than there are
    two = [part[:2] for part in frames]
    titles, rows = nearest_clips(dict(image=torch.eye(2)), two, NAMES[:2], queries=9)
    assert len(titles) == 2 and {len(row) for row in rows} == {3}
