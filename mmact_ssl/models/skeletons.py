"""Shapes of skeleton clips, and which frames and persons of a padded batch are real.

A clip is padded with all-zero frames at its end, and a person who is not there is all-zero
throughout. So ``valid``, bool ``(B, M, T)``, is always the product of "frame within the clip" (the
same frames for each person) and "person present in the clip".
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_ssl.datasets.layouts import LAYOUTS, SkeletonLayout
from mmact_ssl.errors import ConfigError


def find_layout(name: str) -> SkeletonLayout:
    """A joint layout by its name."""
    if name not in LAYOUTS:
        raise ConfigError(f'there is no layout {name!r}, use one of {sorted(LAYOUTS)}')
    return LAYOUTS[name]


def check_skeleton_shape(
    owner: str, x: Tensor, expected: tuple[int, int, int], options: str
) -> None:
    """Compare clips ``(B, M, T, V, C)`` with the ``(M, V, C)`` that a module is built for.

    Args:
        options: Of ``--cfg-options``, that give the module other coordinates: ``{}`` is C.
    """
    found = (x.shape[1], *x.shape[3:])
    if found == expected:
        return
    fix = 'set its layout and num_persons to what the pipeline gives'
    if found[:2] == expected[:2]:
        fix = f'give {options.format(found[2])}'
    raise ConfigError(
        f'{owner} got clips of (persons, joints, coordinates) {found} but is built for {expected}: '
        f'{fix}'
    )


def valid_frames(x: Tensor) -> Tensor:
    """Validity by the coordinates themselves, ``(B, M, T, V, C)`` to bool ``(B, M, T)``.

    A clip ends with its last frame in which any person has a non-zero coordinate (NaN is not zero).
    All-zero frames before it are real frames in which nobody was tracked. A clip of zeros alone
    counts as one frame of its first person, so that no mean is taken over nothing. Our choice.
    """
    seen = (x != 0).flatten(3).any(3)  # (B, M, T)
    # The first frame always counts, and the first person where nobody is seen.
    ends = seen.any(1)  # (B, T): frames in which anybody is seen
    ends = torch.cat([torch.ones_like(ends[:, :1]), ends[:, 1:]], dim=1)
    within = ends.long().flip(1).cumsum(1).flip(1) > 0  # (B, T): frames up to the last of these
    present = seen.any(2)  # (B, M)
    nobody = ~present.any(1, keepdim=True)
    present = torch.cat([present[:, :1] | nobody, present[:, 1:]], dim=1)
    return present[:, :, None] & within[:, None]


def clip_lengths(valid: Tensor) -> Tensor:
    """Number of frames of each clip, ``(B, M, T) -> int64 (B,)``."""
    return valid.any(1).sum(1)


def scale_valid(valid: Tensor, num_frames: int) -> Tensor:
    """Validity of a backbone's map of T' = ``num_frames``, ``(B, M, T)`` to ``(B, M, T')``.

    A frame of the map counts when the clip's frame at which convolutions of stride 2 center it
    does: ``ceil(length / s)`` of them after a stride of s = 2, 4, ... in all. Of another number of
    frames than these leave, ``ceil(length * T' / T)`` count (our choice).
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
