"""Stick figures of a clip of skeletons."""

from __future__ import annotations

import cv2
import numpy as np

from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.layouts import SkeletonLayout
from mmact_ssl.datasets.transforms.skeleton.joints import known_joints, root_at_zero

SIZE = 224  # pixels of a frame
# Limbs of the left side, of the right side, and of the middle (RGB).
COLORS = {'left': (30, 90, 220), 'right': (220, 60, 40), '': (60, 60, 60)}


def draw_skeletons(keypoint: np.ndarray, layout: SkeletonLayout, frames: int) -> list[np.ndarray]:
    """Draw stick figures from the camera's view, at the same scale in all frames.

    Args:
        keypoint: ``(M, T, V, C)``; y points up with 3 coordinates, and down with 2 (a picture).
        frames: Number of pictures, spread evenly over T.

    Returns:
        uint8 ``(SIZE, SIZE, 3)``, RGB, for each of the ``frames``.
    """
    known = known_joints({'keypoint': keypoint, **root_at_zero(keypoint, layout)})
    points = keypoint[..., :2].astype(np.float64)
    if keypoint.shape[-1] == 3:
        # If z is the depth, x grows to the left: right-handed axes, as a Kinect's.
        is_depth = known.any() and np.median(keypoint[known][:, 2]) > 0
        points = points * (-1 if is_depth else 1, -1)
    seen = points[known] if known.any() else np.zeros((1, 2))
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = 0.9 * SIZE / max(float((high - low).max()), 1e-6)
    pixels = (points - (low + high) / 2) * scale + SIZE / 2
    pictures = []
    for t in spread_frames(keypoint.shape[1], frames):
        picture = np.full((SIZE, SIZE, 3), 255, np.uint8)
        for person in range(len(keypoint)):
            for joint in np.flatnonzero(known[person, t]).tolist():
                place = pixels[person, t, joint].round().astype(int).tolist()
                cv2.circle(picture, place, 3, _color(layout, joint, joint), -1, cv2.LINE_AA)
            for start, end in layout.limbs:
                if known[person, t, start] and known[person, t, end]:
                    first, last = pixels[person, t, [start, end]].round().astype(int).tolist()
                    cv2.line(picture, first, last, _color(layout, start, end), 3, cv2.LINE_AA)
        pictures.append(picture)
    return pictures


def _color(layout: SkeletonLayout, start: int, end: int) -> tuple[int, int, int]:
    sides = {layout.names[joint].partition('_')[0] for joint in (start, end)} & {'left', 'right'}
    return COLORS[sides.pop() if len(sides) == 1 else '']
