"""Windows of a clip: their starts and ends, and the frames that they show."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.apis.windows import frames_shown, spans
from mmact_ssl.errors import DataError


@pytest.mark.parametrize(
    ('length', 'window', 'stride', 'expected'),
    [
        (20, None, None, [(0, 20)]),
        (20, 30, None, [(0, 20)]),
        (20, 10, None, [(0, 10), (10, 20)]),
        (21, 10, None, [(0, 10), (10, 20), (11, 21)]),
        (4.0, 1, 2, [(0, 1), (2, 3), (3, 4)]),
        (0.9, 0.3, None, [(0, 0.3), (0.3, 0.6), (0.6, 0.9)]),
    ],
)
def test_spans_end_with_the_clip(length, window, stride, expected):
    assert list(spans(length, window, stride, 100)) == expected


def test_a_clip_whose_time_stamps_lie_years_apart_ends():
    with pytest.raises(DataError, match='windows of 2 frames: its time stamps are damaged'):
        next(spans(1e9, 1.0, None, 2))


@pytest.mark.parametrize(
    ('start', 'stop', 'expected'),
    [(0, 1, (0, 2)), (0.7, 1.5, (1, 3)), (1, 3, (2, 3)), (2, 4, (2, 4)), (9, 10, (3, 4))],
)
def test_a_frame_is_shown_until_the_next(start, stop, expected):
    assert frames_shown(np.array([0, 0.5, 1, 3]), start, stop) == expected
