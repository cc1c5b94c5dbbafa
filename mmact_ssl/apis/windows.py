"""Windows of a video: where they start and end, and which frames they show."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mmact_ssl.errors import ConfigError, DataError

MOMENT = 1e-6  # rounding of times in seconds


def check_cut(window: float | None, stride: float | None) -> None:
    """Raise ConfigError for settings that do not cut windows."""
    for name, value in dict(window=window, stride=stride).items():
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f'{name}={value}: give a length above 0')
    if window is None and stride is not None:
        raise ConfigError(f'stride={stride} is between windows: give window= too')


def spans(
    length: float, window: float | None, stride: float | None, total: int
) -> Iterator[tuple[float, float]]:
    """Yield start and end of each window of a video; the last window is flush with its end.

    Args:
        length: Seconds of the video; one no longer than ``window`` is one window.
        window, stride: In seconds. ``window`` None: the whole video; ``stride`` None: ``window``.
        total: Number of frames of the video.

    Raises:
        DataError: There are more than a thousand windows for each frame.
    """
    if window is None or window >= length:
        yield 0, length
        return
    step = stride or window
    last = round(length - window, 6)
    count = math.ceil(round(last / step, 6))
    if count > 1000 * total:
        raise DataError(f'{count} windows of {total} frames: its time stamps are damaged')
    for number in range(count):
        start = round(number * step, 6)
        yield start, round(start + window, 6)
    yield last, length


def frames_shown(times: np.ndarray, start: float, stop: float) -> tuple[int, int]:
    """Range of the frames shown from ``start`` to ``stop``: the first, and the one after the last.

    Args:
        times: ``(T,)``, the time at which each frame appears; it stays until the next one.
    """
    first = max(int(np.searchsorted(times, start + MOMENT, 'right')) - 1, 0)
    return first, max(int(np.searchsorted(times, stop - MOMENT)), first + 1)
