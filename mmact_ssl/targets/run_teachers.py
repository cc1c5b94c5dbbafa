"""Run teachers over the frames of one video."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.targets.values import spread

# A read decodes from the key frame before it, so frames are read in large blocks.
BLOCK_BYTES = 1 << 28
CLIPS_AT_ONCE = 16  # for a clip teacher without a batch size of its own

Keep = Callable[[np.ndarray], np.ndarray]


def iterate_frames(
    reader: VideoReader, chunk: int, wanted: Sequence[int] | None = None
) -> Iterator[np.ndarray]:
    """Decode frames of a video, those wanted or all, uint8 (n <= chunk, H, W, 3) RGB at a time."""
    wanted = range(reader.total_frames) if wanted is None else wanted
    block = chunk * max(1, BLOCK_BYTES // (chunk * reader.frame_bytes))
    for first in range(0, len(wanted), block):
        indices = wanted[first : first + block]
        frames = reader.read(indices)
        for start in range(0, len(indices), chunk):
            yield np.stack([frames.pop(i) for i in indices[start : start + chunk]])


def run_teachers(
    teachers: Sequence[BaseTeacher],
    path: str | os.PathLike[str],
    batch_size: int = 64,
    keep: Sequence[Keep] | None = None,
    every: int = 1,
) -> tuple[int, list[np.ndarray]]:
    """Run several teachers over the frames of a video, which is decoded once.

    Args:
        batch_size: Frames decoded and handed to a frame teacher at once.
        keep: For each teacher a function that checks and compresses its values of some frames.
        every: Of so many frames one is seen, see :func:`spread`.

    Returns:
        The number F of the video's frames, and for each teacher the values of those seen
        (len(spread(F, every)), ...); of a clip teacher those of the clips that begin there.
    """
    targets: list[list[np.ndarray]] = [[] for _ in teachers]
    with VideoReader(path) as reader:
        total = reader.total_frames
        seen = spread(total, every)
        # A clip needs the frames between.
        decoded = spread(total, 1 if any(teacher.window for teacher in teachers) else every)
        windows = [_Windows(teacher, seen.tolist(), total) for teacher in teachers]
        for frames in iterate_frames(reader, batch_size, decoded.tolist()):
            here, decoded = np.split(decoded, [len(frames)])
            is_seen = np.isin(here, seen)
            chosen = frames if is_seen.all() else frames[is_seen]
            for i, teacher in enumerate(teachers):
                for batch in windows[i].add(frames) if teacher.window else [chosen]:
                    if not len(batch):
                        continue
                    # (n, 3, H, W), of clips (n, T, 3, H, W)
                    images = torch.from_numpy(batch).movedim(-1, -3).to(teacher.device)
                    values = teacher(images).cpu().numpy()
                    targets[i].append(keep[i](values) if keep else values)
    return total, [np.concatenate(parts) for parts in targets]


class _Windows:
    """The clips of a video of ``total`` frames that begin at ``starts``, as its frames arrive.

    Clip t has the frames t, t + stride, ..., clamped to the last one: those that SampleViews gives
    for a clip that starts at t.
    """

    def __init__(self, teacher: BaseTeacher, starts: list[int], total: int) -> None:
        num_frames, stride = teacher.window or (1, 1)
        self.offsets = stride * np.arange(num_frames)
        self.starts = starts
        self.last = total - 1
        self.at_once: int = getattr(teacher, 'batch_size', None) or CLIPS_AT_ONCE
        self.next = 0  # first of the starts whose clip is not complete yet
        self.held: dict[int, np.ndarray] = {}  # frames that clips from `next` on need
        self.seen = 0

    def add(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next frames; yields the clips that they complete, uint8 (n, T, H, W, 3)."""
        self.held.update(enumerate(frames, self.seen))
        self.seen += len(frames)
        at_once = max(1, min(self.at_once, BLOCK_BYTES // (frames[0].nbytes * len(self.offsets))))
        whole = self.seen - 1 - (0 if self.seen > self.last else int(self.offsets[-1]))
        complete = bisect_right(self.starts, whole)
        while self.next < complete:
            starts = self.starts[self.next : min(self.next + at_once, complete)]
            clips = [np.minimum(t + self.offsets, self.last).tolist() for t in starts]
            yield np.stack([np.stack([self.held[i] for i in clip]) for clip in clips])
            self.next += len(starts)
            needed = self.starts[self.next] if self.next < len(self.starts) else self.last
            for t in [t for t in self.held if t < needed]:
                del self.held[t]
