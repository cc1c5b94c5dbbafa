"""Running of teachers over the frames of a video."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.targets.values import spread

# A read decodes from the key frame before it, so frames are read in large blocks.
BLOCK_BYTES = 1 << 28
CLIPS_AT_ONCE = 16  # for a clip teacher without its own batch size


def iterate_frames(
    reader: VideoReader, chunk: int, indices: Sequence[int] | None = None
) -> Iterator[np.ndarray]:
    """Decode frames of a video (None: all); yield uint8 (n <= chunk, H, W, 3), RGB."""
    indices = range(reader.total_frames) if indices is None else indices
    block = chunk * max(1, BLOCK_BYTES // (chunk * reader.frame_bytes))
    for first in range(0, len(indices), block):
        block_indices = indices[first : first + block]
        frames = reader.read(block_indices)
        for start in range(0, len(block_indices), chunk):
            yield np.stack([frames.pop(i) for i in block_indices[start : start + chunk]])


def run_teachers(
    teachers: Sequence[BaseTeacher],
    path: str | os.PathLike[str],
    batch_size: int = 64,
    every: int = 1,
) -> tuple[int, list[np.ndarray]]:
    """Run several teachers over the frames of a video and decode it once.

    Args:
        batch_size: Frames decoded and passed to a frame teacher at once.
        every: The teachers see one of so many frames, see :func:`spread`.

    Returns:
        The number F of the video's frames, and each teacher's values of the frames that it sees,
        (len(spread(F, every)), ...); for a clip teacher, of the clips that begin at these frames.
    """
    targets: list[list[np.ndarray]] = [[] for _ in teachers]
    with VideoReader(path) as reader:
        total = reader.total_frames
        seen = spread(total, every)
        # A clip also needs the frames in between.
        decoded = spread(total, 1 if any(teacher.window for teacher in teachers) else every)
        clips = [_Clips(teacher, seen, total) for teacher in teachers]
        for frames in iterate_frames(reader, batch_size, decoded.tolist()):
            current, decoded = np.split(decoded, [len(frames)])
            is_seen = np.isin(current, seen)
            chosen = frames if is_seen.all() else frames[is_seen]
            for i, teacher in enumerate(teachers):
                for batch in clips[i].add(frames) if teacher.window else [chosen]:
                    if not len(batch):
                        continue
                    # (n, 3, H, W), or clips (n, T, 3, H, W)
                    images = torch.from_numpy(batch).movedim(-1, -3).to(teacher.device)
                    targets[i].append(teacher(images).cpu().numpy())
    return total, [np.concatenate(parts) for parts in targets]


class _Clips:
    """Collector of the clips that begin at ``starts`` in a video of ``total`` frames.

    As in SampleViews, a clip that starts at t has the frames t, t + stride, ..., clamped to the
    last frame.
    """

    def __init__(self, teacher: BaseTeacher, starts: np.ndarray, total: int) -> None:
        num_frames, stride = teacher.window or (1, 1)
        clips = starts[:, None] + stride * np.arange(num_frames)
        self.clips = np.minimum(clips, total - 1)  # (N, T), rising
        self.at_once: int = getattr(teacher, 'batch_size', None) or CLIPS_AT_ONCE
        self.next = 0  # index of the first clip that is not complete yet
        self.frames: dict[int, np.ndarray] = {}  # frames that the clips from `next` on need
        self.seen = 0

    def add(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Add the next frames, and yield the clips that they complete, uint8 (n, T, H, W, 3)."""
        self.frames.update(enumerate(frames, self.seen))
        self.seen += len(frames)
        length = self.clips.shape[1]
        at_once = max(1, min(self.at_once, BLOCK_BYTES // (frames[0].nbytes * length)))
        complete = int(np.searchsorted(self.clips[:, -1], self.seen))
        while self.next < complete:
            clips = self.clips[self.next : min(self.next + at_once, complete)]
            yield np.stack([[self.frames[i] for i in clip] for clip in clips.tolist()])
            self.next += len(clips)
            needed = self.clips[self.next, 0] if self.next < len(self.clips) else self.seen
            for t in [t for t in self.frames if t < needed]:
                del self.frames[t]
