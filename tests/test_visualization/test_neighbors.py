"""Clips that a guided student finds, in order, its own video's marked."""

from __future__ import annotations

import numpy as np
import torch

from mmact_ssl.visualization.neighbors import guidance_neighbors

NAMES = ['one', 'two', 'three', 'four']


def test_the_teachers_search_stands_above_the_students_and_the_nearest_first():
    own = torch.tensor([[0.9, 0.1, 0.2, -0.3], [0.0, 0.1, 0.3, 0.2]]).repeat(2, 1)
    student = -own
    frames = [np.arange(4 * 5).reshape(4, 5, 1, 1, 1).repeat(3, 4).astype(np.uint8)] * 2
    frames[1] = frames[1] + 100
    similarities = dict(image=(student, own), pose=(own, student))
    titles, rows = guidance_neighbors(similarities, frames, NAMES, queries=2, top=2)
    assert titles == 2 * [
        'image: the teacher itself',
        'image: the student',
        'pose: the teacher itself',
        'pose: the student',
    ]
    shown = [[(hit.name, hit.mark) for hit in row] for row in rows[:2]]
    assert shown[0] == [('one', 'query'), ('one', 'video'), ('three', '')]
    assert shown[1] == [('one', 'query'), ('four', ''), ('two', '')]
    assert [row[0].name for row in rows[4:]] == 4 * ['two']
    assert [hit.name for hit in rows[4][1:]] == ['three', 'four']
    np.testing.assert_allclose([hit.similarity for hit in rows[0][1:]], [0.9, 0.2], rtol=1e-6)
    # First, middle and last frame: of the clip that searches, and of the other clip of a video.
    assert rows[0][0].strip[0, :, 0].tolist() == [0, 2, 4]
    assert rows[0][2].strip[0, :, 0].tolist() == [110, 112, 114]


def test_no_more_are_shown_than_there_are():
    frames = [np.zeros((2, 3, 4, 4, 3), np.uint8)] * 2
    titles, rows = guidance_neighbors(
        dict(image=(torch.eye(2), torch.eye(2))), frames, NAMES[:2], queries=9, top=9
    )
    assert len(titles) == 4
    assert all(len(row) == 3 for row in rows)
