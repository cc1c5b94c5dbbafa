"""Frames of a video: an even spread of them, and their conversion to RGB arrays."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter

# By default swscale starts a thread per core. Before PyAV 17 it had one thread.
_REFORMAT_OPTIONS: dict[str, Any] = (
    {'threads': 1} if int(av.__version__.split('.')[0]) >= 17 else {}
)


class FrameConverter:
    """Converts decoded frames to RGB arrays of one size; keeps swscale's tables between frames."""

    def __init__(self, short_side: int | None, size: tuple[int, int]) -> None:
        scale = 1 if short_side is None else short_side / min(size)
        self._options: dict[str, Any] = {
            **dict(zip(('width', 'height'), (max(1, round(side * scale)) for side in size))),
            # AREA averages when it scales down: no aliasing of fine texture, and quick.
            'interpolation': 'AREA',
            **_REFORMAT_OPTIONS,
        }
        self._scaler = VideoReformatter()
        self._painter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """RGB, uint8 (H, W, 3), upright."""
        if frame.format.name in ('yuv420p', 'yuvj420p'):
            # Scaling in YUV averages half as many numbers as scaling in RGB.
            frame = self._scaler.reformat(frame, **self._options)
        array = self._painter.reformat(frame, format='rgb24', **self._options).to_ndarray()
        matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
        return array if matrix is None else _upright(array, np.frombuffer(matrix, np.int32))


def _upright(array: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turn a frame (H, W, 3) by quarter turns and mirror it, as its display matrix asks.

    The matrix is (a, b, _, c, d, ...): point (x, y) is shown at (a x + c y, b x + d y).
    """
    a, b, c, d = matrix[[0, 1, 3, 4]].tolist()
    if abs(b) > abs(a):  # lines become columns
        array, a, d = array.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(array[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def spread_frames(total: int, count: int) -> list[int]:
    """Choose ``count`` frames, evenly spread from the first to the last of ``total``."""
    return np.linspace(0, total - 1, count).round().astype(int).tolist()
