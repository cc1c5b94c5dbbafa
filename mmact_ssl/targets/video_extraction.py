"""Run teachers over every frame of one video, in one decoding pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.models.teachers.base import BaseTeacher

# A read decodes from the key frame before it, so frames are read in large blocks.
BLOCK_BYTES = 1 << 28
CLIPS_AT_ONCE = 16  # for a clip teacher without a batch size of its own

Keep = Callable[[np.ndarray], np.ndarray]


def iterate_frames(path: str | os.PathLike[str], chunk: int) -> Iterator[np.ndarray]:
    """Decode a whole video with training's reader: uint8 [n <= chunk, H, W, 3] RGB at a time."""
    with VideoReader(path) as reader:
        frame_bytes = reader.read([0])[0].nbytes
        block = chunk * max(1, BLOCK_BYTES // (chunk * frame_bytes))
        for first in range(0, reader.total_frames, block):
            indices = range(first, min(first + block, reader.total_frames))
            frames = reader.read(indices)
            for start in range(first, indices.stop, chunk):
                part = range(start, min(start + chunk, indices.stop))
                yield np.stack([frames.pop(index) for index in part])


def run_teachers(
    teachers: Sequence[BaseTeacher],
    path: str | os.PathLike[str],
    batch_size: int = 64,
    keep: Sequence[Keep] | None = None,
) -> list[np.ndarray]:
    """Run several teachers over every frame of a video, which is decoded once.

    Args:
        batch_size: Frames decoded and handed to a frame teacher at once.
        keep: For each teacher a function that checks and compresses its values of some frames.

    Returns:
        For each teacher [F, ...]; of a clip teacher entry t is of the clip that begins at frame t.
    """
    with VideoReader(path) as reader:
        total = reader.total_frames
    targets: list[list[np.ndarray]] = [[] for _ in teachers]
    windows = [_Windows(teacher, total) for teacher in teachers]
    for frames in iterate_frames(path, batch_size):
        for i, teacher in enumerate(teachers):
            for batch in windows[i].add(frames) if teacher.window else [frames]:
                # (n, 3, H, W), of clips (n, T, 3, H, W)
                images = torch.from_numpy(batch).movedim(-1, -3).to(teacher.device)
                values = teacher(images).cpu().numpy()
                targets[i].append(keep[i](values) if keep else values)
    return [np.concatenate(parts) for parts in targets]


class _Windows:
    """The clips of a video of ``total`` frames, as its frames arrive.

    Clip t has the frames t, t + stride, ..., clamped to the last one: those that SampleViews gives
    for a clip that starts at t.
    """

    def __init__(self, teacher: BaseTeacher, total: int) -> None:
        num_frames, stride = teacher.window or (1, 1)
        self.offsets = stride * np.arange(num_frames)
        self.last = total - 1
        self.at_once: int = getattr(teacher, 'batch_size', None) or CLIPS_AT_ONCE
        self.next = 0  # first clip that is not complete yet
        self.held: dict[int, np.ndarray] = {}  # frames that clips from `next` on need
        self.seen = 0

    def add(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next frames; yields the clips that they complete, uint8 [n, T, H, W, 3]."""
        self.held.update(enumerate(frames, self.seen))
        self.seen += len(frames)
        at_once = max(1, min(self.at_once, BLOCK_BYTES // (frames[0].nbytes * len(self.offsets))))
        complete = self.seen if self.seen > self.last else self.seen - int(self.offsets[-1])
        while self.next < complete:
            starts = range(self.next, min(self.next + at_once, complete))
            clips = [np.minimum(t + self.offsets, self.last).tolist() for t in starts]
            yield np.stack([np.stack([self.held[i] for i in clip]) for clip in clips])
            self.next = starts.stop
            for t in starts:
                if t < self.last:
                    del self.held[t]
