"""Small copies of videos: a few frames of each, scaled down, every one a key frame."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from mmact_ssl.datasets.frame_conversion import BT601, spread_frames
from mmact_ssl.datasets.shards import video_hash
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.io.files import writing_whole
from mmact_ssl.preparation.files import count_windows, find_failures, length_of

# Largest number of frames, and largest short side in pixels; an odd side loses a line.
FRAMES, SHORT_SIDE = 48, 256
# Key frames alone: a student reads a few frames anywhere in a video.
OPTIONS = {'crf': '20', 'preset': 'veryfast', 'threads': '1', 'bf': '0'}


def copy_videos(targets: Mapping[Path, Path], window: float = 0.0) -> dict[Path, str]:
    """Write :func:`copy_video` of several videos on all cores; copies that are there stay.

    Args:
        targets: Copy of each video.
        window: Seconds; 0 for whole videos.

    Returns:
        Reason for each video that cannot be read.
    """

    def copy(source: Path) -> str:
        try:
            copy_video(source, targets[source], window)
        except BrokenSampleError as error:
            shutil.rmtree(_windows_of(targets[source]), ignore_errors=True)
            return error.reason
        return ''

    # Threads are enough: FFmpeg decodes, scales and encodes without Python's lock.
    return find_failures(copy, list(targets), 'copying videos', len(os.sched_getaffinity(0)))


def copies_at(target: Path) -> list[Path]:
    """Copies of the windows of a recording, in order; or the one copy of a video."""
    return sorted(_windows_of(target).glob('*.mp4')) or [target]


def _windows_of(target: Path) -> Path:
    return target.with_name(f'{target.name}.windows')


def copy_video(source: Path, target: Path, window: float = 0.0, most: int | None = None) -> None:
    """Write evenly spread frames of a video, at their times; link a video that is small already.

    A recording is decoded once; each of its windows has a copy, ``TARGET.windows/00012.mp4``.

    Args:
        source: The video.
        target: The copy, H.264 in an MP4 file, whatever its suffix. A copy of the same content
            stays.
        window: Seconds of a window, see :func:`count_windows`.
        most: Largest number of windows, from the first on; None for all.

    Raises:
        BrokenSampleError: The video cannot be read, or has fewer than 2 frames.
        OSError: A copy cannot be written.
    """
    origin = f'{FRAMES} frames of {SHORT_SIDE} as BT.601 from {video_hash(str(source))}'
    parts, there = count_windows(length_of(source), window), copies_at(target)

    def comment(number: int) -> str:
        return f'{origin}, {number} windows of {window:g} s' if parts > 1 else origin

    if not there[0].is_symlink() and _comment(there[0]) == comment(len(there)):
        return
    shutil.rmtree(_windows_of(target), ignore_errors=True)
    with VideoReader(source) as reader:
        total, seconds = reader.total_frames, reader.seconds
        if total < 2:
            raise BrokenSampleError(str(source), 'has fewer than 2 frames')
        side = min(reader.read([0])[0].shape[:2])
        target.parent.mkdir(parents=True, exist_ok=True)
        if total <= FRAMES and side <= SHORT_SIDE and parts == 1:
            target.unlink(missing_ok=True)
            target.symlink_to(source.resolve())
            return
        bounds = [0]
        for start in np.searchsorted(seconds, window * np.arange(1, parts)).tolist():
            if min(start - bounds[-1], total - start) >= 2:  # frames in each window
                bounds.append(start)
        spans = [*pairwise([*bounds, total])][:most]
        chosen = [
            [start + index for index in spread_frames(stop - start, min(stop - start, FRAMES))]
            for start, stop in spans
        ]
        part_of = {index: part for part, indices in enumerate(chosen) for index in indices}
        images: dict[int, np.ndarray] = {}

        def take(index: int, image: np.ndarray) -> None:
            images[index] = image
            part = part_of[index]
            if images.keys() >= {*chosen[part]}:
                times = (1000 * (seconds[chosen[part]] - seconds[chosen[part][0]])).round()
                shown = [images.pop(index) for index in chosen[part]]
                copy = _windows_of(target) / f'{part:05}.mp4' if parts > 1 else target
                _write(source, copy, shown, times.astype(int).tolist(), comment(len(chosen)))

        # Only the frames of one window are held.
        reader.read(part_of, min(side, SHORT_SIDE), take)


def _write(
    source: Path, target: Path, images: Sequence[np.ndarray], times: Sequence[int], comment: str
) -> None:
    """Write a copy of RGB images, uint8 ``(H, W, 3)``, at times in milliseconds."""
    height, width = (size // 2 * 2 for size in images[0].shape[:2])
    if min(height, width) < 2:
        raise BrokenSampleError(str(source), f'its frames are {width} x {height} pixels')
    try:
        with writing_whole(target) as part, av.open(str(part), 'w', format='mp4') as container:
            container.metadata['comment'] = comment
            stream = container.add_stream('libx264', rate=25, options=OPTIONS)
            stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
            stream.codec_context.gop_size = 1
            stream.codec_context.colorspace = BT601  # else a reader guesses by the size
            stream.codec_context.time_base = Fraction(1, 1000)
            for image, time in zip(images, times):
                array = np.ascontiguousarray(image[:height, :width])
                frame = av.VideoFrame.from_ndarray(array, format='rgb24')
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    except av.FFmpegError as error:  # not one of reading, which would leave out the video
        raise OSError(error.errno, error.strerror, str(target)) from error


def is_copy(path: Path) -> bool:
    """True for a copy of :func:`copy_video`, or a link."""
    return path.is_symlink() or ' as BT.601 from ' in _comment(path)


def _comment(path: Path) -> str:
    """The comment in a video file; '' without one."""
    try:
        with av.open(str(path)) as container:
            return container.metadata.get('comment', '')
    except (av.FFmpegError, UnicodeDecodeError):
        return ''
