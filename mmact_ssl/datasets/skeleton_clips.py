"""Skeleton clips from outside: what their numbers mean, and which frames are of use."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import DataError

COORDINATES = ('', 'xyz', 'xyc', 'xy')
METERS = 10.0  # positions in a room are smaller; those in pixels or millimeters are larger
HOW = 'give coordinates= (--coordinates): xyz, xyc (c: score) or xy, with x before y'


def read_coordinates(clips: Iterable[np.ndarray], coordinates: str, where: str) -> list[np.ndarray]:
    """Bring the clips of a file to persons, frames, joints, and 2 or 3 coordinates.

    Args:
        clips: Numbers (M, T, V, C); or (C, T, V, M) as in ST-GCN, if ``coordinates`` decide it.
        coordinates: ``'xyz'``; ``'xyc'``: a joint whose score is not above 0 becomes zero;
            ``'xy'``: a third value is dropped; ``''``: unknown.
        where: File and array, for errors.

    Returns:
        Numbers (M, T, V, 2 or 3); and arrays that are no clips, unchanged.

    Raises:
        DataError: The coordinates are unknown, and the first axis may be theirs, or a third value
            may be a score. It is a depth if it is negative somewhere in the file, and no value is
            too large for METERS.
    """
    if coordinates not in COORDINATES:
        raise DataError(f'{where}: coordinates {coordinates!r} are unknown; {HOW}')
    found = [_arrange(c, coordinates, where) if _is_numeric(c) else c for c in clips]
    deep = [clip for clip in found if _is_numeric(clip) and clip.shape[3] == 3]
    if deep and not coordinates:
        lowest = min(np.fmin.reduce(clip[..., 2], None, initial=0) for clip in deep)
        largest = max(np.fmax.reduce(np.abs(clip), None, initial=0) for clip in deep)
        if not (lowest < 0 and largest <= METERS):
            raise DataError(f'{where}: is a joint x, y, depth; x, y, score; or y, x, score? {HOW}')
    return found


def _is_numeric(clip: np.ndarray) -> bool:
    return clip.ndim == 4 and clip.dtype.kind in 'fiu'


def _arrange(clip: np.ndarray, coordinates: str, where: str) -> np.ndarray:
    """Bring the axis of the coordinates to the end, and drop what is no coordinate."""
    sizes, shape = (3,) if coordinates in ('xyz', 'xyc') else (2, 3), list(clip.shape)
    if not coordinates and shape[0] in sizes:
        raise DataError(
            f'{where}: shape {shape} may be [persons, frames, joints, coordinates] or '
            f"ST-GCN's [coordinates, frames, joints, persons]: {HOW}"
        )
    if coordinates and shape[3] not in sizes:
        if shape[0] not in sizes:
            raise DataError(f'{where}: shape {shape} has no axis for {coordinates}; {HOW}')
        clip = clip.transpose(3, 1, 2, 0)
    if coordinates == 'xyc':
        clip = np.where(clip[..., 2:] > 0, clip, 0)
    return clip[..., :2] if coordinates in ('xyc', 'xy') else clip


def usable_clip(keypoint: np.ndarray, layout: str) -> tuple[np.ndarray, dict[str, int]]:
    """Check a clip and remove the frames that no model can use.

    Args:
        keypoint: Numbers (M, T, V, 2 or 3); zero where a person or joint is not seen.
        layout: A key of LAYOUTS with V joints.

    Returns:
        float32 (M, T', V, C), the frames with a person and finite coordinates, absent persons last;
        and {reason: number of removed frames}.

    Raises:
        ValueError: The shape or dtype is wrong, or no frame is left.
    """
    joints, shape = LAYOUTS[layout].num_joints, list(keypoint.shape)
    if not (_is_numeric(keypoint) and shape[0] and shape[2] == joints and shape[3] in (2, 3)):
        raise ValueError(
            f'{keypoint.dtype} of shape {shape} is not a skeleton of layout {layout}: it needs '
            f'numbers [persons, frames, {joints} joints, 2 or 3 coordinates]'
        )
    clip = keypoint.astype('<f4')
    finite = np.isfinite(clip).all(axis=(0, 2, 3))
    empty = ~clip.any(axis=(0, 2, 3))
    dropped = {'not finite': int((~finite).sum()), 'nobody seen': int(empty.sum())}
    clip = clip[:, finite & ~empty]
    if not clip.shape[1]:
        reason = 'every frame with a person has a coordinate that is not finite'
        reason = 'nobody is seen in any frame' if empty.all() else reason
        raise ValueError(reason if len(finite) else 'no frames')
    return clip[np.argsort(~clip.any(axis=(1, 2, 3)), kind='stable')], dropped
