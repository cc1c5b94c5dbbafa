"""Frames of a video as a player shows them: their stream, their conversion to RGB, an even spread.

The text of this file is also in the ``onnx_features.py`` that is written beside an ONNX file, so it
imports nothing of this package, and PyAV only where a video is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Frames that are scaled to a short side must not fill the memory; nor may a single one.
MAX_ASPECT, MAX_PIXELS = 16, 1 << 27
# Matrices from RGB to YUV, as ITU-T H.273 numbers them.
BT601, _BT709, _BT2020, _BT2020_CONSTANT = 6, 1, 9, 10


class VideoError(ValueError):
    """A file that is not a video, or whose frames are too long or large."""


def shown_stream(container: Any) -> Any:
    """The video stream that a player shows.

    A picture that is attached to a file, such as the cover of a film or song, is not a video.

    Raises:
        VideoError: There is no such stream.
    """
    from av.stream import Disposition

    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        raise VideoError('has no video stream')
    moving = [stream for stream in videos if stream.frames != 1] or videos
    best = container.streams.best('video')
    return best if best in moving else moving[0]


class FrameConverter:
    """Converts decoded frames to RGB arrays of one size; keeps swscale's tables between frames.

    Args:
        short_side: Short side in pixels of the arrays; None keeps the number of lines.
        size: Width and height to which frames are scaled before; None: those of the first frame.
    """

    def __init__(
        self, stream: Any, short_side: int | None = None, size: tuple[int, int] | None = None
    ) -> None:
        from av.video.reformatter import VideoReformatter

        self._stream, self._short_side, self._size = stream, short_side, size
        self._options: dict[str, Any] = {}
        self._scaler = VideoReformatter()
        self._painter = VideoReformatter()

    def _choose_options(self, frame: Any) -> None:
        # The container's ratio of a pixel's width to its height, else the codec's, which may be
        # unknown before the first frame is decoded.
        codec = self._stream.codec_context
        ratio = float(self._stream.sample_aspect_ratio or codec.sample_aspect_ratio or 1)
        # One near to 1 makes up for the whole pixels of a scaled size, as in JHMDB's files.
        ratio = 1.0 if abs(ratio - 1) < 0.02 else ratio
        width, height = self._size or (frame.width, frame.height)
        shown = width * ratio, height
        if max(shown) > MAX_ASPECT * min(shown) or shown[0] * shown[1] > MAX_PIXELS:
            raise VideoError(f'its frames are {shown[0]:.0f} x {height} pixels')
        scale = 1 if self._short_side is None else self._short_side / min(shown)
        self._options = {
            **dict(zip(('width', 'height'), (max(1, round(side * scale)) for side in shown))),
            # AREA averages when it scales down: no aliasing of fine texture, and quick.
            'interpolation': 'AREA',
            'threads': 1,  # by default swscale starts one per core
        }

    def __call__(self, frame: Any) -> np.ndarray:
        """RGB, uint8 (H, W, 3), upright and with square pixels.

        Raises:
            VideoError: The frames are too long or large.
        """
        if not self._options:
            self._choose_options(frame)
        matrix = frame.side_data.get('DISPLAYMATRIX')
        _complete_tags(frame)
        if frame.format.name in ('yuv420p', 'yuvj420p'):
            # Scaling in YUV averages half as many numbers as scaling in RGB.
            frame = self._scaler.reformat(frame, **self._options)
        array = self._painter.reformat(frame, format='rgb24', **self._options).to_ndarray()
        return array if matrix is None else _upright(array, np.frombuffer(matrix, np.int32))


def _complete_tags(frame: Any) -> None:
    """Give a frame the matrix that players take where its file gives none: by its size.

    swscale would take BT.601 for all, and refuses unknown tags.
    """
    if not frame.format.is_rgb:
        if frame.colorspace in (0, 2, 3):  # RGB, unspecified, reserved
            is_large = frame.width >= 1280 or frame.height > 576
            frame.colorspace = _BT709 if is_large else BT601
        elif frame.colorspace == _BT2020_CONSTANT:
            frame.colorspace = _BT2020
    frame.color_trc = frame.color_primaries = 2  # unspecified: only YUV becomes RGB


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
