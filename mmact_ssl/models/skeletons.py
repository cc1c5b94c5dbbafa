"""Shapes of skeleton clips, and the valid frames and persons of a padded batch.

A clip is padded with zero frames at its end, and an absent person is zero in all frames. So
``valid``, bool ``(B, M, T)``, is always the product of "frame within the clip" (equal for all
persons) and "person present in the clip".
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS, SkeletonLayout
from mmact_ssl.errors import ConfigError


def find_layout(name: str) -> SkeletonLayout:
    """Find a joint layout by its name."""
    if name not in LAYOUTS:
        raise ConfigError(f'there is no layout {name!r}, use one of {sorted(LAYOUTS)}')
    return LAYOUTS[name]


def check_skeleton_shape(owner: str, x: Tensor, expected: tuple[int | None, ...]) -> None:
    """Raise ConfigError if clips ``(B, M, T, V, C)`` do not have a module's ``(M, V, C)``.

    Args:
        expected: None for a size that may be any.
    """
    shape = (x.shape[1], *x.shape[3:])
    if any(size not in (None, found) for size, found in zip(expected, shape)):
        raise ConfigError(
            f'{owner} got clips of (persons, joints, coordinates) {shape} but is built for '
            f'{expected}: set encoder.options.persons, .layout or .coordinates to those of the data'
        )


def valid_frames(x: Tensor) -> Tensor:
    """Find the valid frames by the coordinates, ``(B, M, T, V, C)`` to bool ``(B, M, T)``.

    A clip ends with the last frame in which a person has a non-zero coordinate (NaN is not zero).
    Zero frames before it are real frames without a tracked person. In a clip of zeros the first
    frame of the first person is valid, so that no mean is empty. Our choice.
    """
    seen = (x != 0).flatten(3).any(3)  # (B, M, T)
    # The first frame is always valid, and the first person if no person is seen.
    ends = seen.any(1)  # (B, T): frames with a person
    ends = torch.cat([torch.ones_like(ends[:, :1]), ends[:, 1:]], dim=1)
    within = ends.long().flip(1).cumsum(1).flip(1) > 0  # (B, T): frames up to the last of them
    present = seen.any(2)  # (B, M)
    nobody = ~present.any(1, keepdim=True)
    present = torch.cat([present[:, :1] | nobody, present[:, 1:]], dim=1)
    return present[:, :, None] & within[:, None]


def clip_lengths(valid: Tensor) -> Tensor:
    """Number of frames of each clip, ``(B, M, T) -> int64 (B,)``."""
    return valid.any(1).sum(1)


def scale_valid(valid: Tensor, num_frames: int) -> Tensor:
    """Valid frames of a map of T' = ``num_frames``, ``(B, M, T)`` to ``(B, M, T')``.

    A frame of the map is valid if its center in the clip is: after convolutions with a total stride
    s = 2, 4, ... the first ``ceil(length / s)`` frames. If no such stride gives T' frames, the
    first ``ceil(length * T' / T)`` are valid (our choice).
    """
    time = valid.shape[2]
    if time == num_frames:
        return valid
    stride = 2
    while -(-time // stride) > num_frames:
        stride *= 2
    lengths = clip_lengths(valid)  # (B,)
    if -(-time // stride) == num_frames:
        lengths = (lengths + stride - 1) // stride
    else:
        lengths = (lengths * num_frames + time - 1) // time
    within = torch.arange(num_frames, device=valid.device) < lengths[:, None]  # (B, T')
    return valid.any(2)[:, :, None] & within[:, None]
