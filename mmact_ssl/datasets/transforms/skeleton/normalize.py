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
from mmact_ssl.registry import TRANSFORMS

_EPS = 1e-6  # of the body's size: below it a direction is noise


@TRANSFORMS.register_module()
class NormalizeSkeleton(BaseTransform):
    """Move skeletons to the body's own origin, scale and axes.

    One transform moves the whole clip and all its persons, which keeps their motion, turns and
    relative places: origin = spine base of the first frame that shows hips, shoulders and spine of
    a person; y = from there to the center of the shoulders, x = from right to left hip and shoulder
    made orthogonal to y, z = x cross y, the direction that the person faces; scale = median length
    of the torso over the frames that show most of these joints, else over the frames that show the
    torso, else median length of the limbs. If no frame shows all of these joints, the first frame
    that shows most of them is used: origin = mean of the known joints of the spine base, or of all
    known joints; no rotation if a joint of an axis is missing.

    With 2 coordinates the picture's axes stay; only origin and scale change. A missing joint, see
    joints.known_joints, stays zero and enters no mean or axis. The same holds for padding and
    absent persons. Coordinates in space must be right-handed, as a Kinect's: otherwise front and
    back change places (fix: docs/start/own_skeletons.md).

    Required keys: ``keypoint`` float32 (M, T, V, C), C 2 or 3, ``layout``. Modified keys:
    ``keypoint``. Added keys: ``never_missing``, see joints.known_joints.

    Source: our choice; MS2L's paper moves every frame to axes of its own.
    """

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
        axes, good = _axes(across, torso[frame])
        if good:
            return transform_points(moved, axes * scale)
    return moved * scale


def _mean(body: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean (..., C) of the ``seen`` (..., V) joints of ``body`` (..., V, C); 0 without any."""
    weight = seen[..., None]
    return (body * weight).sum(axis=-2) / np.maximum(weight.sum(axis=-2), 1)


def _axes(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, bool]:
    """Orthonormal axes from two directions (3,); y keeps its direction.

    Returns:
        Rows x, y and z = x cross y, (3, 3); and True where the directions are long enough and not
        parallel. Else the axes are meaningless.
    """
    lengths = [np.linalg.norm(y), np.linalg.norm(x)]
    y = y / max(lengths[0], _EPS)
    x = x / max(lengths[1], _EPS)
    x = x - y * (y * x).sum()
    lengths.append(np.linalg.norm(x))
    x = x / max(lengths[2], _EPS)
    return np.stack([x, y, np.cross(x, y)]), bool(min(lengths) > _EPS)
