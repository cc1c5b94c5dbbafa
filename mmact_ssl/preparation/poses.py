"""Files of 2D poses, with one array for a whole data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np


def project_joints(
    skeleton: np.ndarray, focal: float, center: tuple[float, float], size: tuple[int, int]
) -> np.ndarray:
    """Project joints in space into the picture of a pinhole camera.

    Args:
        skeleton: float (..., 3) in a Kinect's axes: x to the right of the picture (a Kinect's
            picture is mirrored), y up, z depth (> 0), in any unit.
        focal: Focal length in pixels.
        center: (x, y) in pixels, the point of the picture on the optical axis.
        size: (width, height) of the picture in pixels.

    Returns:
        float32 (..., 3): x and y as fractions of the frame, score 1 (0 for a joint without depth).
    """
    x, y, z = np.moveaxis(np.asarray(skeleton, np.float64), -1, 0)
    known = z > 0
    depth = np.where(known, z, 1.0)
    column = (focal * x / depth + center[0]) / size[0]
    row = (center[1] - focal * y / depth) / size[1]
    pose = np.stack([column, row, np.ones_like(depth)], axis=-1)
    return np.where(known[..., None], pose, 0.0).astype(np.float32)


def write_poses(path: Path, poses: Mapping[str, np.ndarray], layout: str) -> None:
    """Write the poses of many videos to one compressed npz without pickles.

    Args:
        path: File to write, with ``names`` (unicode), ``lengths`` (int64), ``keypoints`` (float32
            (sum(lengths), V, 3)) and ``layout`` (unicode scalar).
        poses: {path in the annotation file: float (T, V, 3)}: x and y as fractions of the frame,
            score 0..1.
        layout: A key of LAYOUTS with V joints.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        names=np.array(list(poses), dtype=np.str_),
        lengths=np.array([len(pose) for pose in poses.values()], dtype=np.int64),
        keypoints=np.concatenate(list(poses.values())).astype(np.float32),
        layout=np.array(layout),
    )
