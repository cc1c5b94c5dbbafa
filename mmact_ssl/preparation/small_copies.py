"""Small copies of videos: a few frames of each, scaled down, every one a key frame."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.shards import video_hash
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.files import writing_whole
from mmact_ssl.preparation.files import find_failures

FRAMES, SHORT_SIDE = 48, 256
# Key frames alone: a student reads a few frames anywhere in a video.
OPTIONS = {'crf': '20', 'preset': 'veryfast', 'threads': '1', 'bf': '0'}


def copy_videos(
    targets: Mapping[Path, Path], frames: int = FRAMES, short_side: int = SHORT_SIDE
) -> dict[Path, str]:
    """Write :func:`copy_video` of several videos on all cores; copies that are there stay.

    Args:
        targets: Copy of each video.

    Returns:
        Reason for each video that cannot be read.
    """

    def copy(source: Path) -> str:
        try:
            copy_video(source, targets[source], frames, short_side)
        except BrokenSampleError as error:
            return error.reason
        return ''

    # Threads are enough: FFmpeg decodes, scales and encodes without Python's lock.
    return find_failures(copy, list(targets), 'copying videos', len(os.sched_getaffinity(0)))


def copy_video(source: Path, target: Path, frames: int, short_side: int) -> None:
    """Write evenly spread frames of a video, at their times; link a video that is small already.

    Args:
        source: The video.
        target: The copy, H.264 in an MP4 file, whatever its suffix. A copy of the same content with
            the same settings stays.
        frames: Largest number of frames.
        short_side: Largest short side in pixels; an odd side loses a line.

    Raises:
        BrokenSampleError: The video cannot be read, or has fewer than 2 frames.
    """
    origin = f'{frames} frames of {short_side} from {video_hash(str(source))}'
    if not target.is_symlink() and target.is_file() and _comment(target) == origin:
        return
    with VideoReader(source) as reader:
        total = reader.total_frames
        if total < 2:
            raise BrokenSampleError(str(source), 'has fewer than 2 frames')
        side = min(reader.read([0])[0].shape[:2])
        target.parent.mkdir(parents=True, exist_ok=True)
        if total <= frames and side <= short_side:
            target.unlink(missing_ok=True)
            target.symlink_to(source.resolve())
            return
        chosen = spread_frames(total, min(total, frames))
        images = reader.read(chosen, min(side, short_side))
        times = (1000 * reader.seconds[chosen]).round().astype(int).tolist()
    height, width = (size // 2 * 2 for size in images[0].shape[:2])
    if min(height, width) < 2:
        raise BrokenSampleError(str(source), f'its frames are {width} x {height} pixels')
    with writing_whole(target) as part, av.open(str(part), 'w', format='mp4') as container:
        container.metadata['comment'] = origin
        stream = container.add_stream('libx264', rate=25, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.codec_context.gop_size = 1
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, time in zip(chosen, times):
            image = np.ascontiguousarray(images[index][:height, :width])
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _comment(path: Path) -> str:
    """The comment in a video file; '' without one."""
    try:
        with av.open(str(path)) as container:
            return container.metadata.get('comment', '')
    except (av.FFmpegError, UnicodeDecodeError):
        return ''
