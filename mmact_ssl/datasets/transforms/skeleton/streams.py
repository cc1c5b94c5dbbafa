"""Bones and motion in addition to the joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.skeleton.joints import (
    known_joints,
    layout_of,
    leave_trace,
    never_missing,
)
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class BonesAndMotion(BaseTransform):
    """Replace the coordinates of each joint by one or more streams, joined along C.

    - ``joint``: the coordinates;
    - ``bone``: joint minus its parent in the layout, as mmaction2's JointToBone; zero at the root
      and where one of both joints is missing;
    - ``motion``: joint minus the same joint one frame earlier; zero in a person's first frame and
      where the joint or the person is missing in one of both frames.

    mmaction2's ToMotion looks one frame ahead and treats missing joints as joints at zero. Here a
    frame contains nothing of the next one, so that a MaskFuture afterwards hides the whole future.

    Required keys: ``keypoint``, ``layout``. Modified keys: ``keypoint`` (M, T, V, len(streams) *
    C). Added keys: ``never_missing``, see joints.known_joints; ``streams``, their names.

    Args:
        streams: Streams to join, in this order.
        motion_scale: Factor of ``motion``. About 10 gives motion the size of the coordinates, for a
            network whose first layer does not normalize its input.
    """

    def __init__(
        self, streams: Sequence[str] = ('joint', 'bone', 'motion'), motion_scale: float = 1.0
    ) -> None:
        self.streams = tuple(streams)
        self.motion_scale = motion_scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        joint = results['keypoint']
        layout = layout_of(results, 'BonesAndMotion')
        parent = list(layout.parents)
        known = known_joints(results)
        both = (known & known[:, :, parent])[..., None]
        make = {
            'joint': lambda: joint,
            'bone': lambda: (joint - joint[:, :, parent]) * both,
            'motion': lambda: self.motion_scale * _motion(joint, known),
        }
        results['keypoint'] = np.concatenate([make[stream]() for stream in self.streams], axis=-1)
        results['never_missing'] = never_missing(known, layout)
        results['streams'] = self.streams
        if 'motion' in self.streams:
            leave_trace(results, self)
        return results


def _motion(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Differences (M, T, V, C) to the frame before, where both are ``known`` (M, T, V)."""
    motion = np.zeros_like(values)
    both = known[:, 1:] & known[:, :-1]
    motion[:, 1:] = (values[:, 1:] - values[:, :-1]) * both[..., None]
    return motion
