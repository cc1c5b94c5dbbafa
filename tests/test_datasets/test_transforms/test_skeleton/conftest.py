"""A skeleton sample with everything that is awkward in real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS


def random_sample(
    layout: str = 'kinect20',
    persons: int = 1,
    frames: int = 12,
    coordinates: int = 3,
    seed: int = 0,
    padding: int = 0,
    absent: bool = False,
    gaps: bool = False,
) -> dict[str, Any]:
    """A sample as SkeletonDataset gives it, bodies of random shape that move a little.

    Args:
        padding: Frames of zeros added at the end, told by ``valid_frames``.
        absent: Leave out persons in some frames.
        gaps: Leave out some joints too.
    """
    random = np.random.RandomState(seed)
    joints = LAYOUTS[layout].num_joints
    body = random.randn(persons, 1, joints, coordinates) + 3
    keypoint = body + 0.2 * random.randn(persons, frames, joints, coordinates)
    if absent or gaps:
        keypoint[random.rand(persons, frames) < 0.3] = 0
    if gaps:
        keypoint[random.rand(persons, frames, joints) < 0.1] = 0
    keypoint = np.pad(keypoint, ((0, 0), (0, padding), (0, 0), (0, 0))).astype(np.float32)
    results = {
        'keypoint': keypoint,
        'total_frames': frames + padding,
        'frame_dir': 'a01_s02',
        'filename': 'a01_s02',
        'label': 3,
        'layout': layout,
    }
    if padding:
        results['valid_frames'] = frames
    return results


@pytest.fixture(scope='session')
def make_sample() -> Callable[..., dict[str, Any]]:
    """Makes a skeleton sample, see ``random_sample``."""
    return random_sample
