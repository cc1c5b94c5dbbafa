"""Run teachers over every frame of one video, in one decoding pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.models.teachers.base import BaseTeacher

# A read decodes from the key frame before it, so frames are read in blocks as large as this
# allows: in the videos that one trains on, all at once.
BLOCK_BYTES = 1 << 28
CLIPS_AT_ONCE = 16  # for a clip teacher that says no batch size of its own

Keep = Callable[[np.ndarray], np.ndarray]


def iterate_frames(path: str | os.PathLike[str], chunk: int) -> Iterator[np.ndarray]:
    """Decode a video from its first to its last frame, with the reader that training uses.

    Yields:
        uint8 [n, H, W, 3] RGB, n = ``chunk`` but for the last.

    Raises:
        BrokenSampleError: The file cannot be decoded or has no frame.
    """
    with VideoReader(path) as reader:
        frame_bytes = reader.read([0])[0].nbytes
        block = chunk * max(1, BLOCK_BYTES // (chunk * frame_bytes))
        for first in range(0, reader.total_frames, block):
            indices = range(first, min(first + block, reader.total_frames))
            frames = reader.read(indices)
            for start in range(first, indices.stop, chunk):
                part = range(start, min(start + chunk, indices.stop))
                yield np.stack([frames.pop(index) for index in part])


def extract_video(
    teacher: BaseTeacher, path: str | os.PathLike[str], batch_size: int = 64
) -> np.ndarray:
    """Run a teacher over every frame of a video.

    Returns:
        float32 [F, ...]; of a clip teacher entry t is of the clip that begins at frame t.

    Raises:
        BrokenSampleError: The video cannot be decoded or has no frame.
    """
    return run_teachers([teacher], path, batch_size)[0]


def run_teachers(
    teachers: Sequence[BaseTeacher],
    path: str | os.PathLike[str],
    batch_size: int = 64,
    keep: Sequence[Keep] | None = None,
) -> list[np.ndarray]:
    """Run several teachers over every frame of a video, which is decoded once.

    Args:
        teachers: Of frames or clips, on their devices.
        path: The video.
        batch_size: Frames decoded and handed to a frame teacher at once.
        keep: For each teacher what to keep of the values of some frames; it may check them and
            make them smaller. None: all as they are.

    Returns:
        For each teacher [F, ...].

    Raises:
        BrokenSampleError: The video cannot be decoded or has no frame.
    """
    with VideoReader(path) as reader:
        total = reader.total_frames
    runs = [
        _FrameRun(teacher, kept) if teacher.window is None else _ClipRun(teacher, kept, total)
        for teacher, kept in zip(teachers, keep or [np.asarray] * len(teachers))
    ]
    for frames in iterate_frames(path, batch_size):
        for run in runs:
            run.add(frames)
    return [np.concatenate(run.targets) for run in runs]


class _FrameRun:
    """A frame teacher on its way through a video."""

    def __init__(self, teacher: BaseTeacher, keep: Keep) -> None:
        self.teacher = teacher
        self.keep = keep
        self.targets: list[np.ndarray] = []

    def add(self, frames: np.ndarray) -> None:
        """Take the next frames, uint8 [n, H, W, 3]."""
        # (n, 3, H, W), of clips (n, T, 3, H, W). In the memory order that training has: torch picks
        # its kernels by it, and these differ in the last bit.
        images = torch.from_numpy(frames).movedim(-1, -3).contiguous()
        values = self.teacher(images.to(self.teacher.device)).cpu().numpy()
        self.targets.append(self.keep(values))


class _ClipRun(_FrameRun):
    """A clip teacher on its way through a video of ``total`` frames.

    Entry t is of the frames t, t + stride, ..., clamped to the last one: what SampleViews gives
    for a clip that starts at t.
    """

    def __init__(self, teacher: BaseTeacher, keep: Keep, total: int) -> None:
        super().__init__(teacher, keep)
        num_frames, stride = teacher.window or (1, 1)
        self.offsets = stride * np.arange(num_frames)
        self.last = total - 1
        self.next = 0  # first entry that is not made yet
        self.held: dict[int, np.ndarray] = {}  # frames that entries from `next` on need
        self.seen = 0
        self.at_once: int = getattr(teacher, 'batch_size', None) or CLIPS_AT_ONCE

    def add(self, frames: np.ndarray) -> None:
        """Take the next frames and make all entries that they complete."""
        self.held.update(enumerate(frames, self.seen))
        self.seen += len(frames)
        clip_bytes = frames[0].nbytes * len(self.offsets)
        at_once = max(1, min(self.at_once, BLOCK_BYTES // clip_bytes))
        ended = self.seen > self.last
        ready = self.seen if ended else max(self.next, self.seen - int(self.offsets[-1]))
        while self.next + at_once <= ready or (ended and self.next < ready):
            stop = min(self.next + at_once, ready)
            clips = [
                np.stack([self.held[i] for i in np.minimum(t + self.offsets, self.last).tolist()])
                for t in range(self.next, stop)
            ]
            super().add(np.stack(clips))
            for t in range(self.next, stop):
                if t < self.last:
                    del self.held[t]
            self.next = stop
