"""Conversion of skeletons of any layout to the joints that all layouts have."""

from __future__ import annotations

import numpy as np

from mmact_ssl.datasets.layouts import COMMON, LAYOUTS, SkeletonLayout

# Joints whose mean is a common joint that not all layouts have; the first entry that a layout has.
_HEAD = (('head',), ('face',), ('nose', 'left_ear', 'right_ear'))
_SOURCES = {
    'mid_hip': (('left_hip', 'right_hip'),),
    'neck': (('left_shoulder', 'right_shoulder'),),
    'head': _HEAD,
}


def to_common(keypoint: np.ndarray, layout: str) -> np.ndarray:
    """Convert a clip to the layout ``common15`` in space.

    A joint keeps its place, or is the mean of the known joints that stand for it: the neck is the
    middle of the shoulders, and in layouts without a head its place is the mean of nose and ears. A
    joint of zeros is missing, and stays so. A picture's joints (x right, y down) get a z of zero
    and a y upwards, as a camera in front of the body sees it.

    Args:
        keypoint: Float (M, T, V, C), C 2 or 3.
        layout: A key of LAYOUTS with V joints.

    Returns:
        (M, T, 15, 3), of the same dtype.

    Source: our choice.
    """
    sources = _sources(LAYOUTS[layout])
    common = np.zeros((*keypoint.shape[:2], len(sources), 3), keypoint.dtype)
    for joint, places in enumerate(sources):
        points = keypoint[:, :, places]  # (M, T, number of places, C)
        number = np.maximum(np.any(points != 0, axis=-1).sum(axis=-1), 1).astype(keypoint.dtype)
        common[:, :, joint, : keypoint.shape[-1]] = points.sum(axis=2) / number[..., None]
    if keypoint.shape[-1] == 2:
        common[..., 1] *= -1
    return common


def _sources(layout: SkeletonLayout) -> list[list[int]]:
    """Joints of a layout whose mean is each common joint."""
    own = layout.name == COMMON
    return [
        next(
            layout.index(*names)
            for names in (((joint,),) if own else _SOURCES.get(joint, ((joint,),)))
            if set(names) <= set(layout.names)
        )
        for joint in LAYOUTS[COMMON].names
    ]
