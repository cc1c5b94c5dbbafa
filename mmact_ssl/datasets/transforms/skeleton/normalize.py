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

    All persons of a frame share one scale, and the origin and axes of the first person present, so
    that their relative places stay. With 2 coordinates the picture's axes stay; only origin and
    scale change. A joint whose coordinates are all zero is missing: it stays zero and enters no
    mean, norm or axis. The same holds for padding and absent persons. Coordinates in space must be
    right-handed, as a Kinect's: otherwise front and back change places (fix:
    docs/start/own_skeletons.md).

    ``mode='body_axes'`` normalizes each frame by itself: origin o = mean of spine base, left hip
    and right hip; scale = Frobenius norm of all persons' joints after that, so that a person gets
    smaller when another appears; x = unit(left hip - o), y = unit of the torso joint - o made
    orthogonal to x, z = x cross y. A frame without these joints uses origin and axes of the frame
    before it, or of the first frame that has them.

    ``mode='first_frame'`` applies one transform to the whole clip, which keeps the body's motion
    and turns: origin = spine base of the first frame that shows hips, shoulders and spine;
    y = from there to the center of the shoulders, x = from right to left hip and shoulder made
    orthogonal to y, z = x cross y, the direction that the person faces; scale = median length of
    the torso over the frames that show most of these joints, else over the frames that show the
    torso, else median length of the limbs. If no frame shows all of these joints, the first frame
    that shows most of them is used: origin = mean of the known joints of the spine base, or of all
    known joints; no rotation if a joint of an axis is missing.

    Required keys: ``keypoint`` float32 (M, T, V, C), C 2 or 3, ``layout``. Modified keys:
    ``keypoint``. Added keys: ``never_missing``, see joints.known_joints.

    Args:
        mode: ``body_axes`` or ``first_frame``.
        torso: Torso joint of body_axes. ``spine_base`` is the published code's; ``spine`` is the
            joint above it, for layouts without a joint for the spine base, such as coco17.

    Source: body_axes is MS2L's published code (NTU joints 1, 13, 17 for origin and axes). The
    treatment of missing joints, and first_frame, are our choice.
    """

    def __init__(self, mode: str, torso: str = 'spine_base') -> None:
        # A wrong word would silently choose another normalization.
        if mode not in ('body_axes', 'first_frame') or torso not in ('spine_base', 'spine'):
            raise ConfigError(
                f"NormalizeSkeleton: mode={mode!r}, torso={torso!r} is unknown: 'body_axes' or "
                "'first_frame', 'spine_base' or 'spine'"
            )
        self.mode = mode
        self.torso = torso

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        num_coordinates(results, self)
        if self.mode == 'first_frame':
            leave_trace(results, self)
        layout = layout_of(results, 'NormalizeSkeleton')
        keypoint = results['keypoint']
        known = known_joints(results)
        if known.any():
            body = keypoint.astype(np.float64), known, layout
            by_axes = self.mode == 'body_axes'
            moved = _by_body_axes(*body, self.torso) if by_axes else _by_first_frame(*body)
            moved[~known] = 0
            results['keypoint'] = moved.astype(np.float32)
            results['never_missing'] = never_missing(known, layout)
        return results


def _by_body_axes(
    keypoint: np.ndarray, known: np.ndarray, layout: SkeletonLayout, torso: str
) -> np.ndarray:
    hip, spine = part(layout, 'left_hip'), part(layout, torso)
    center = part(layout, 'spine_base') + hip + part(layout, 'right_hip')
    three = keypoint.shape[-1] == 3
    if three and set(spine) <= set(hip + part(layout, 'right_hip')):
        raise ConfigError(
            f'NormalizeSkeleton: layout {layout.name!r} has no spine base apart from the hips: '
            "set torso='spine'"
        )
    frames = np.arange(keypoint.shape[1])
    first = known.any(axis=-1).argmax(axis=0)  # (T,), the first person present
    body, seen = keypoint[first, frames], known[first, frames]  # (T, V, C), (T, V)

    whole, some = seen[:, center].all(axis=1), seen[:, center].any(axis=1)
    origin = _mean(body[:, center], seen[:, center])  # (T, C)
    origin = _filled(origin, whole if whole.any() else some)
    moved = (keypoint - origin[:, None]) * known[..., None]
    norm = np.sqrt((moved**2).sum(axis=(0, 2, 3)))  # (T,)
    moved /= np.where(norm > 0, norm, 1)[:, None, None]
    if not three:
        return moved

    body = moved[first, frames]
    axes, good = _axes(x=body[:, hip].mean(axis=1), y=body[:, spine].mean(axis=1), first='x')
    good &= seen[:, hip + spine].all(axis=1)
    return moved @ _filled(axes, good).swapaxes(-1, -2) if good.any() else moved


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
        axes, good = _axes(x=across, y=torso[frame], first='y')
        if good:
            return transform_points(moved, axes * scale)
    return moved * scale


def _mean(body: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean (..., C) of the ``seen`` (..., V) joints of ``body`` (..., V, C); 0 without any."""
    weight = seen[..., None]
    return (body * weight).sum(axis=-2) / np.maximum(weight.sum(axis=-2), 1)


def _axes(x: np.ndarray, y: np.ndarray, first: str) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal axes from two directions (..., 3); the ``first`` keeps its direction.

    Returns:
        Rows x, y and z = x cross y, (..., 3, 3); and bool (...), True where the directions are long
        enough and not parallel. Elsewhere the axes are meaningless.
    """
    base, other = (x, y) if first == 'x' else (y, x)
    lengths = [np.linalg.norm(base, axis=-1), np.linalg.norm(other, axis=-1)]
    base = base / np.maximum(lengths[0], _EPS)[..., None]
    other = other / np.maximum(lengths[1], _EPS)[..., None]
    other = other - base * (base * other).sum(axis=-1, keepdims=True)
    lengths.append(np.linalg.norm(other, axis=-1))
    other = other / np.maximum(lengths[2], _EPS)[..., None]
    x, y = (base, other) if first == 'x' else (other, base)
    axes = np.stack([x, y, np.cross(x, y)], axis=-2)
    return axes, np.minimum.reduce(lengths) > _EPS


def _filled(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Replace ``values`` (T, ...) that are not ``good`` (T,) by the last good value before them.

    Values before the first good value are replaced by it. Without good values nothing changes.
    """
    if not good.any():
        return values
    source = np.maximum.accumulate(np.where(good, np.arange(len(good)), good.argmax()))
    return values[source]
