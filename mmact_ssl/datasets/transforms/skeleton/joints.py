"""Layout, body parts and valid frames of a skeleton clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS, SkeletonLayout
from mmact_ssl.errors import ConfigError, DataError

# Largest distance of a root at zero from the box of its person, in longest sides of the box.
_NEAR = 0.25
# Joints that are a part of the body, or whose mean is; the first that a layout has.
_PARTS = {
    'spine_base': 'spine_base hip_center mid_hip belly left_hip+right_hip',
    'shoulder_center': 'shoulder_center spine_shoulder thorax neck left_shoulder+right_shoulder',
}


def persons_kept(transforms: Iterable[Any]) -> int | None:
    """Return the number of persons that a pipeline's FormatGCNInput keeps; None without one.

    Readers cut a clip to these first persons before its pipeline: NormalizeSkeleton would otherwise
    take origin, axes or scale from a person that the network never sees.
    """
    return next((step.num_person for step in transforms if hasattr(step, 'num_person')), None)


def root_at_zero(keypoint: np.ndarray, layout: SkeletonLayout) -> dict[str, np.ndarray]:
    """Find the joint of a clip (M, T, V, C) that is the origin of a person's coordinates.

    It is zero in every frame of that person, belongs to no side, its neighbors are seen, and zero
    lies in or near the person's box. A joint that the sensor never saw is zero too, but in pixels
    or in a camera's meters zero is far from the body.

    Returns:
        The sample's ``never_missing``, see :func:`known_joints`; {} without such a joint.
    """
    known = known_joints({'keypoint': keypoint})
    seen = np.any(known, axis=1)  # (M, V)
    is_middle = layout.flip_indices == np.arange(layout.num_joints)
    root: np.ndarray = ~seen & is_middle & seen.any(axis=1, keepdims=True)
    for pair in layout.edges if root.any() else ():
        root[:, pair] &= seen[:, pair[::-1]]
    for person in np.flatnonzero(root.any(axis=1)):
        points, shown = keypoint[person], known[person][..., None]
        low = np.where(shown, points, np.inf).min(axis=1)[shown.any(axis=(1, 2))]  # (T, C)
        high = np.where(shown, points, -np.inf).max(axis=1)[shown.any(axis=(1, 2))]
        gap = np.maximum(low, -high).max(axis=1)
        root[person] &= np.median(gap / np.maximum((high - low).max(axis=1), 1e-9)) < _NEAR
    return {'never_missing': np.any(root, axis=0)} if root.any() else {}


def known_joints(results: Mapping[str, Any]) -> np.ndarray:
    """Return bool (M, T, V): False for missing joints of the sample's ``keypoint``.

    A joint of zeros is missing, except where its person is present and the sample's
    ``never_missing``, bool (V,), is True: :func:`root_at_zero`, and transforms that move joints to
    the origin, add this key.
    """
    keypoint = results['keypoint']
    # Eight times as quick as `any` along an axis of length 2 or 3.
    is_nonzero = keypoint != 0
    known = is_nonzero[..., 0].copy()
    for axis in range(1, keypoint.shape[-1]):
        known |= is_nonzero[..., axis]
    if 'never_missing' in results:
        known |= known.any(axis=-1, keepdims=True) & results['never_missing']
    return known


def layout_of(results: Mapping[str, Any], transform: str) -> SkeletonLayout:
    """Return a sample's layout; DataError if it is unknown."""
    name, sample = results.get('layout'), results.get('frame_dir', 'the sample')
    if name not in LAYOUTS:
        raise DataError(
            f'{transform}: {sample} has layout {name!r}; known are {", ".join(LAYOUTS)}'
        )
    return LAYOUTS[name]


def num_coordinates(results: Mapping[str, Any], transform: BaseTransform) -> int:
    """Return the number of coordinates; raise ConfigError for streams such as bones."""
    coordinates = results['keypoint'].shape[-1]
    if coordinates not in (2, 3):
        raise ConfigError(
            f'{type(transform).__name__}: the clip has {coordinates} values per joint, not 2 or 3 '
            'coordinates: put it before BonesAndMotion'
        )
    return coordinates


def leave_trace(results: dict[str, Any], transform: BaseTransform) -> None:
    """Note that a transform leaves traces of the frames' places and speed, see refuse_traces."""
    results['traces'] = (*results.get('traces', ()), type(transform).__name__)


def refuse_traces(results: Mapping[str, Any], transform: BaseTransform) -> None:
    """Raise ConfigError if the clip shows its frames' places, for transforms that change them.

    An origin or axes of the first frame, interpolated frames and motion would reveal the old order
    or speed, so that a task of recognizing it needs no movement.
    """
    if results.get('traces'):
        name, earlier = type(transform).__name__, results['traces'][0]
        raise ConfigError(
            f'{name}: what {earlier} has left in the clip reveals the old order and speed of the '
            f'frames, which the task must recognize: put {earlier} behind {name}'
        )


def part(layout: SkeletonLayout, name: str) -> list[int]:
    """Joints whose mean is ``spine_base``, ``shoulder_center`` or another joint."""
    choices = (names.split('+') for names in _PARTS.get(name, name).split())
    return layout.index(*next((c for c in choices if set(c) <= set(layout.names)), [name]))


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``matrix`` (C, C) times each of the ``points`` (..., C).

    It is one product of two contiguous matrices: with stacks of small matrices, or a transposed
    view, numpy has half the speed.
    """
    product = points.reshape(-1, points.shape[-1]) @ np.ascontiguousarray(matrix.T)
    return product.reshape(points.shape)


def never_missing(known: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Return bool (V,): True for joints that are ``known`` (M, T, V) whenever a person is present.

    Left and right joints get the same value, so that the clip can be mirrored afterwards.
    """
    absent = ~np.any(known, axis=-1, keepdims=True)
    always = np.all(known | absent, axis=(0, 1))
    return always & always[layout.flip_indices]


def num_valid_frames(results: Mapping[str, Any]) -> int:
    """Return the number of frames before the padding: ``valid_frames``, by default T."""
    return int(results.get('valid_frames', results['keypoint'].shape[1]))


def set_frames(results: dict[str, Any], keypoint: np.ndarray, valid_frames: int) -> None:
    """Replace the frames of a sample; those from ``valid_frames`` on are padding."""
    frames = keypoint.shape[1]
    results.update(keypoint=keypoint, total_frames=frames, valid_frames=valid_frames)
