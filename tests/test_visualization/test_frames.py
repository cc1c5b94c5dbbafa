"""Drawn frames: real above generated, in their order."""

from __future__ import annotations

import numpy as np

from mmact_ssl.visualization import draw_generated_frames


def strips(current: int, future: int, offset: int) -> dict[str, np.ndarray]:
    """Videos whose gray value says clip, kind and time."""

    def video(count: int, start: int) -> np.ndarray:
        gray = offset + start + 40 * np.arange(2)[:, None] + np.arange(count)
        return np.broadcast_to(gray[..., None, None, None], (2, count, 4, 4, 3)).astype(np.uint8)

    return dict(current=video(current, 0), future=video(future, current))


def test_each_frame_is_at_its_row_and_time():
    real, generated = strips(2, 3, offset=0), strips(2, 3, offset=100)
    figure = draw_generated_frames(real, generated, ['walk', 'wave'])
    axes = np.array(figure.axes).reshape(4, 5)
    for clip in range(2):
        for kind, offset in ((0, 0), (1, 100)):
            for step in range(5):
                (image,) = axes[2 * clip + kind, step].get_images()
                assert np.unique(image.get_array()).tolist() == [offset + 40 * clip + step]


def test_titles_count_current_and_future_frames():
    figure = draw_generated_frames(strips(2, 3, 0), strips(2, 3, 0), ['walk', 'wave'])
    axes = np.array(figure.axes).reshape(4, 5)
    assert [axis.get_title() for axis in axes[0]] == [
        'current 1',
        'current 2',
        'future 1',
        'future 2',
        'future 3',
    ]
    assert not any(axis.get_title() for axis in axes[1:].flat)
    labels = [row[0].get_ylabel() for row in axes]
    assert labels == ['walk\nreal', 'walk\ngenerated', 'wave\nreal', 'wave\ngenerated']
