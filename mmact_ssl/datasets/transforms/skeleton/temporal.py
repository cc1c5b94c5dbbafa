"""Selection and interpolation of the frames of a skeleton clip.

The first ``valid_frames`` frames of ``keypoint``, float32 (M, T, V, C), are the clip; the rest is
padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.skeleton.joints import (
    known_joints,
    leave_trace,
    num_valid_frames,
    refuse_traces,
    set_frames,
)
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResampleFrames(BaseTransform):
    """Resample a clip to a number of frames by linear interpolation in time.

    The first and last frame before the padding become the first and last frame. A clip of one frame
    repeats it; with ``num_frames=1`` the result is the middle of the clip. If a joint or its person
    is missing in one of two neighboring frames, the joint is not interpolated: it is taken from the
    nearer frame, or from the earlier of two equally near ones.

    Required keys: ``keypoint``; optional ``valid_frames``. Modified keys: both, ``total_frames``.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        leave_trace(results, self)
        frames = num_valid_frames(results)
        clip, known = results['keypoint'][:, :frames], known_joints(results)[:, :frames]
        set_frames(results, _resample(clip, known, self.num_frames), self.num_frames)
        return results


@TRANSFORMS.register_module()
class TemporalCrop(BaseTransform):
    """Cut a random run of frames out of a clip.

    The run's length is a share of the frames before the padding: the share is drawn uniformly from
    ``area``, the length is rounded and at least 1. Its position is uniform. Padding is dropped.

    Required keys: ``keypoint``; optional ``valid_frames``. Modified keys: both, ``total_frames``.

    Args:
        area: Smallest and largest share, 0 < smallest <= largest <= 1.
        num_frames: Length after resampling, see ResampleFrames. None keeps the run's length.
        warp: Change of speed within the run: time t, in 0..1, shows the frame of time t^k; log k is
            normal with this standard deviation. 0 keeps the speed.

    Source: the crop-and-resize of contrastive skeleton work (Thoker et al. 2021); area and warp are
    our choice.
    """

    def __init__(
        self, area: Sequence[float] = (0.5, 1.0), num_frames: int | None = None, warp: float = 0.0
    ) -> None:
        self.smallest, self.largest = area
        self.num_frames = num_frames
        self.warp = warp

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if self.num_frames is not None or self.warp:
            leave_trace(results, self)
        frames = num_valid_frames(results)
        length = max(round(frames * np.random.uniform(self.smallest, self.largest)), 1)
        start = np.random.randint(frames - length + 1)
        clip = results['keypoint'][:, start : start + length]
        known = known_joints({**results, 'keypoint': clip})
        exponent = np.exp(np.random.normal(0, self.warp)) if self.warp else 1.0
        clip = _resample(clip, known, self.num_frames or length, exponent)
        set_frames(results, clip, clip.shape[1])
        return results


@TRANSFORMS.register_module()
class RandomStride(BaseTransform):
    """Take a number of frames at a stride that is drawn at random.

    The stride is uniform among those at which ``num_frames`` fit into the frames before the
    padding, and the start among the places where they fit. If none fits, every frame at the
    smallest stride is taken, and the clip, which is shorter, has no stride to recognize. What would
    reveal the stride comes after it, see :func:`refuse_traces`: motion, interpolation, the origin
    of a first frame.

    Required keys: ``keypoint``; optional ``valid_frames``. Modified keys: both, ``total_frames``.
    Added keys: ``targets['speed']``, int64, the stride in frames, -1 if none fits.

    Args:
        strides: In frames, ``>= 1``.

    Source: pace prediction (Wang et al., arXiv 2008.05861), on skeletons; strides and the choice
    for short clips are ours.
    """

    def __init__(self, strides: Sequence[int], num_frames: int) -> None:
        self.strides = tuple(strides)
        self.num_frames = num_frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        refuse_traces(results, self)
        frames, last = num_valid_frames(results), self.num_frames - 1
        fitting = [stride for stride in self.strides if last * stride < frames]
        stride = fitting[np.random.randint(len(fitting))] if fitting else min(self.strides)
        start = np.random.randint(max(frames - last * stride, 1))
        clip = results['keypoint'][:, start:frames:stride][:, : self.num_frames]
        set_frames(results, clip, clip.shape[1])
        results.setdefault('targets', {})['speed'] = np.int64(stride if fitting else -1)
        return results


@TRANSFORMS.register_module()
class PadFrames(BaseTransform):
    """Pad a clip with zeros to a number of frames.

    Of a longer clip of T frames it keeps frames floor((i + 1/2) T / num_frames).

    Required keys: ``keypoint``; optional ``valid_frames``. Modified keys: both, ``total_frames``.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        leave_trace(results, self)
        frames = num_valid_frames(results)
        clip = results['keypoint'][:, :frames]
        if frames > self.num_frames:
            clip = clip[:, (2 * np.arange(self.num_frames) + 1) * frames // (2 * self.num_frames)]
        missing = self.num_frames - clip.shape[1]
        padded = np.pad(clip, ((0, 0), (0, missing), (0, 0), (0, 0)))
        set_frames(results, padded, clip.shape[1])
        return results


def _resample(
    clip: np.ndarray, known: np.ndarray, num_frames: int, exponent: float = 1.0
) -> np.ndarray:
    """Interpolate a clip (M, T, V, C) in time, see ResampleFrames.

    Joints that are not ``known`` (M, T, V) enter no interpolation. Time t of the result, in 0..1,
    shows time t^exponent of the clip.
    """
    frames = clip.shape[1]
    if num_frames == frames and exponent == 1:
        return clip
    first, last = (0.0, frames - 1.0) if num_frames > 1 else ((frames - 1) / 2,) * 2
    places = np.linspace(first, last, num_frames)
    if exponent != 1 and frames > 1:
        places = (places / (frames - 1)) ** exponent * (frames - 1)
    before = np.floor(places).astype(np.int64)
    after = np.minimum(before + 1, frames - 1)
    share = places - before  # (num_frames,), of the later frame

    share = share[:, None]
    if not known.all():
        both = known[:, before] & known[:, after]  # (M, num_frames, V)
        share = np.where(both, share, share > 0.5)
    share = share[..., None].astype(clip.dtype)
    return clip[:, before] * (1 - share) + clip[:, after] * share
