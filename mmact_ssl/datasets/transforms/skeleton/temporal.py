"""Which frames of a skeleton clip there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.skeleton.joints import (
    known_joints,
    num_valid_frames,
    set_frames,
)
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResampleFrames(BaseTransform):
    """Bring a clip to a number of frames by linear interpolation in time.

    The first and last frame that is not padding become the first and last frame; a clip of one
    frame repeats it, and of a single frame asked for the middle is taken. Between a frame with a
    joint and one in which it, or its person, is missing there is nothing to interpolate: the
    joint is taken from the nearer one, of two equally near the earlier.

    Required keys: ``keypoint`` float32 [M, T, V, C], ``valid_frames`` (optional: frames that are no
    padding). Modified keys: ``keypoint`` [M, num_frames, V, C], ``total_frames``, ``valid_frames``.

    Args:
        num_frames: Frames afterwards, at least 1.

    Source: our choice.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = _at_least_one(self, num_frames)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resample one sample."""
        frames = num_valid_frames(results)
        clip, known = results['keypoint'][:, :frames], known_joints(results)[:, :frames]
        set_frames(results, resample(clip, known, self.num_frames), self.num_frames)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_frames={self.num_frames})'


@TRANSFORMS.register_module()
class TemporalCrop(BaseTransform):
    """Cut a random run of frames out of a clip.

    The run's length is a share of the frames that are no padding, drawn uniformly from ``area`` and
    rounded, at least 1 frame; its place is uniform. Padding is dropped.

    Required keys: ``keypoint`` float32 [M, T, V, C], ``valid_frames`` (optional). Modified keys:
    ``keypoint``, ``total_frames``, ``valid_frames``.

    Args:
        area: Smallest and largest share, 0 < smallest <= largest <= 1.
        num_frames: Frames to which the run is resampled, see ResampleFrames. None: it stays.
        warp: How much faster or slower the run's start may pass than its end: the place t, in 0..1,
            shows what was at t^k, log k normal of this deviation. 0: evenly. Needs ``num_frames``.

    Raises:
        ConfigError: The shares are none, or ``warp`` is negative or has no ``num_frames``.

    Source: the crop-and-resize of contrastive skeleton work (Thoker et al. 2021), area and warp our
    choice.
    """

    def __init__(
        self,
        area: Sequence[float] = (0.5, 1.0),
        num_frames: int | None = None,
        warp: float = 0.0,
    ) -> None:
        smallest, largest = area
        if not 0 < smallest <= largest <= 1:
            raise ConfigError(
                f'TemporalCrop: area is {tuple(area)}, must be 0 < smallest <= largest <= 1'
            )
        self.area = (smallest, largest)
        self.num_frames = None if num_frames is None else _at_least_one(self, num_frames)
        if warp < 0 or (warp and num_frames is None):
            raise ConfigError(
                f'TemporalCrop: warp is {warp}, must be 0 or more, and 0 without num_frames'
            )
        self.warp = warp

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop one sample."""
        frames = num_valid_frames(results)
        length = max(round(frames * np.random.uniform(*self.area)), 1)
        start = np.random.randint(frames - length + 1)
        clip = results['keypoint'][:, start : start + length]
        if self.num_frames is not None:
            exponent = np.exp(np.random.normal(0, self.warp)) if self.warp else 1.0
            known = known_joints(results)[:, start : start + length]
            clip = resample(clip, known, self.num_frames, exponent)
        set_frames(results, clip, clip.shape[1])
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(area={self.area}, num_frames={self.num_frames}, '
            f'warp={self.warp})'
        )


@TRANSFORMS.register_module()
class PadFrames(BaseTransform):
    """Bring a clip to a number of frames by zeros at the end.

    Of a longer clip, frames at even distances are kept: of T frames those at
    floor((i + 1/2) T / num_frames).

    Required keys: ``keypoint`` float32 [M, T, V, C], ``valid_frames`` (optional). Modified keys:
    ``keypoint`` [M, num_frames, V, C], ``total_frames``, ``valid_frames``.

    Args:
        num_frames: Frames afterwards, at least 1.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = _at_least_one(self, num_frames)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pad or thin out one sample."""
        frames = num_valid_frames(results)
        clip = results['keypoint'][:, :frames]
        if frames > self.num_frames:
            kept = (2 * np.arange(self.num_frames) + 1) * frames // (2 * self.num_frames)
            clip = clip[:, kept]
        missing = self.num_frames - clip.shape[1]
        padded = np.pad(clip, ((0, 0), (0, missing), (0, 0), (0, 0)))
        set_frames(results, padded, clip.shape[1])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_frames={self.num_frames})'


def resample(
    clip: np.ndarray, known: np.ndarray, num_frames: int, exponent: float = 1.0
) -> np.ndarray:
    """``clip`` [M, T, V, C] interpolated to [M, num_frames, V, C]; see ResampleFrames.

    Joints that are not ``known``, bool [M, T, V], are missing: nothing is interpolated with them.
    With an exponent, what was at the share t^exponent of the clip comes to the share t.
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
    share = places - before  # [num_frames], of the later frame

    both = known[:, before] & known[:, after]  # [M, num_frames, V]
    share = share[:, None]
    share = np.where(both, share, share > 0.5)[..., None].astype(clip.dtype)
    return clip[:, before] * (1 - share) + clip[:, after] * share


def _at_least_one(transform: BaseTransform, num_frames: int) -> int:
    if num_frames < 1:
        raise ConfigError(
            f'{type(transform).__name__}: num_frames is {num_frames}, must be at least 1'
        )
    return num_frames
