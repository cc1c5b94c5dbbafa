"""Removal of position, size and direction of the body from a skeleton."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import SkeletonLayout
from mmact_ssl.datasets.transforms.skeleton.joints import (
    known_joints,
    layout_of,
    leave_trace,
    never_missing,
    num_coordinates,
    part,
    transform_points,
)
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS

_EPS = 1e-6  # of the body's size: below it a direction is noise


@TRANSFORMS.register_module()
class NormalizeSkeleton(BaseTransform):
    """Move skeletons to the body's own origin, scale and axes.

    All persons share one scale, origin and axes, so that their relative places stay. With 2
    coordinates the picture's axes stay; only origin and scale change. A joint whose coordinates are
    all zero is missing: it stays zero and enters no mean, norm or axis. The same holds for padding
    and absent persons. Coordinates in space must be right-handed, as a Kinect's: otherwise front
    and back change places (fix: docs/start/own_skeletons.md).

    One transform applies to the whole clip, which keeps the body's motion and turns: origin = spine
    base of the first frame that shows hips, shoulders and spine;
    y = from there to the center of the shoulders, x = from right to left hip and shoulder made
    orthogonal to y, z = x cross y, the direction that the person faces; scale = median length of
    the torso over the frames that show most of these joints, else over the frames that show the
    torso, else median length of the limbs. If no frame shows all of these joints, the first frame
    that shows most of them is used: origin = mean of the known joints of the spine base, or of all
    known joints; no rotation if a joint of an axis is missing.

    Required keys: ``keypoint`` float32 (M, T, V, C), C 2 or 3, ``layout``. Modified keys:
    ``keypoint``. Added keys: ``never_missing``, see joints.known_joints.

    Args:
        mode: ``'first_frame'``, the only one; published models record it.

    Source: our choice.
    """

    def __init__(self, mode: str = 'first_frame') -> None:
        if mode != 'first_frame':
            raise ConfigError(f"NormalizeSkeleton: mode={mode!r} is unknown: 'first_frame'")

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        num_coordinates(results, self)
        leave_trace(results, self)
        layout = layout_of(results, 'NormalizeSkeleton')
        keypoint = results['keypoint']
        known = known_joints(results)
        if known.any():
            moved = _by_first_frame(keypoint.astype(np.float64), known, layout)
            moved[~known] = 0
            results['keypoint'] = moved.astype(np.float32)
            results['never_missing'] = never_missing(known, layout)
        return results


def _by_first_frame(keypoint: np.ndarray, known: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    base, shoulders = part(layout, 'spine_base'), part(layout, 'shoulder_center')
    left = layout.index('left_hip', 'left_shoulder')
    right = layout.index('right_hip', 'right_shoulder')
    shown = known[:, :, base + shoulders + left + right].sum(axis=-1)  # (M, T)
    shown[~known.any(axis=-1)] = -1  # a person with other joints comes before an absent one
    best = shown == shown.max()
    frame = int(best.any(axis=0).argmax())
    person = int(best[:, frame].argmax())
    body, seen = keypoint[person], known[person]  # (T, V, C), (T, V)
    bottom = _mean(body[:, base], seen[:, base])  # (T, C)
    torso = _mean(body[:, shoulders], seen[:, shoulders]) - bottom

    upright = seen[:, base].any(axis=1) & seen[:, shoulders].any(axis=1)
    if upright.any():
        if (best[person] & upright).any():
            upright &= best[person]
        length = float(np.median(np.linalg.norm(torso[upright], axis=-1)))
    else:
        start, end = np.array(layout.limbs).T
        bones = np.linalg.norm(body[:, end] - body[:, start], axis=-1)  # (T, limbs)
        both = seen[:, end] & seen[:, start]
        length = float(np.median(bones[both])) if both.any() else 0.0
    origin = bottom[frame] if seen[frame, base].any() else _mean(body[frame], seen[frame])
    scale = 1 / length if length > 0 else 1.0
    # The origin is repeated for each joint: numpy is slow over rows of C numbers, not of V * C.
    moved = keypoint - np.tile(origin, (keypoint.shape[2], 1))
    if keypoint.shape[-1] == 3 and seen[frame, left + right + base + shoulders].all():
        across = (body[frame, left] - body[frame, right]).mean(axis=0)
        axes = _axes(across, torso[frame])
        if axes is not None:
            return transform_points(moved, axes * scale)
    return moved * scale


def _mean(body: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean (..., C) of the ``seen`` (..., V) joints of ``body`` (..., V, C); 0 without any."""
    weight = seen[..., None]
    return (body * weight).sum(axis=-2) / np.maximum(weight.sum(axis=-2), 1)


def _axes(x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Orthonormal axes from two directions (3,), of which y stays: rows x, y and z = x cross y.

    None if a direction is too short, or both are parallel.
    """
    lengths = [np.linalg.norm(y, axis=-1), np.linalg.norm(x, axis=-1)]
    y = y / np.maximum(lengths[0], _EPS)
    x = x / np.maximum(lengths[1], _EPS)
    x = x - y * (y * x).sum()
    lengths.append(np.linalg.norm(x, axis=-1))
    x = x / np.maximum(lengths[2], _EPS)
    return np.stack([x, y, np.cross(x, y)]) if min(lengths) > _EPS else None
