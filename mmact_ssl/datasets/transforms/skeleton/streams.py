# SPDX-License-Identifier: Apache-2.0
"""Bones and motion beside the joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.skeleton.joints import layout_of, parents, present_frames
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS

_STREAMS = ('joint', 'bone', 'motion', 'bone_motion')


@TRANSFORMS.register_module()
class BonesAndMotion(BaseTransform):
    """Replace the coordinates of each joint by one or more streams, joined along C.

    - `joint`: the coordinates themselves;
    - `bone`: joint minus the next joint towards the root along the layout's limbs (see
      joints.parents); zero at the root;
    - `motion`: joint minus the same joint one frame earlier; zero in a person's first frame and
      wherever one of both frames is without that person;
    - `bone_motion`: the same of `bone`.

    mmaction2's ToMotion looks one frame ahead. Looking back, no frame knows the next one, so that
    MaskFuture may come afterwards and hides the whole future.

    Required keys: `keypoint` float32 [M, T, V, C], `layout`. Modified keys: `keypoint`
    [M, T, V, len(streams) * C].

    Args:
        streams: Some of the above, in the order in which they are joined.
        motion_scale: What `motion` and `bone_motion` are multiplied with. From one frame to the
            next a joint moves by a small part of the body's size; a factor of about 10 puts motion
            beside the coordinates for a network whose first layer does not normalise its input.

    Raises:
        ConfigError: A stream is unknown or twice there, or there is none, or the scale is not
            above 0.
        DataError: The sample's layout is unknown or does not fit.
    """

    def __init__(
        self, streams: Sequence[str] = ('joint', 'bone', 'motion'), motion_scale: float = 1.0
    ) -> None:
        if (
            isinstance(streams, str)
            or not streams
            or set(streams) - set(_STREAMS)
            or len(set(streams)) < len(streams)
        ):
            raise ConfigError(
                f'BonesAndMotion: streams is {streams!r}, must be a list of some of '
                f'{", ".join(_STREAMS)}, each once'
            )
        if not motion_scale > 0:
            raise ConfigError(f'BonesAndMotion: motion_scale is {motion_scale}, must be above 0')
        self.streams = tuple(streams)
        self.motion_scale = motion_scale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make the streams of one sample."""
        joint = results['keypoint']
        bone = joint - joint[:, :, parents(layout_of(results, 'BonesAndMotion'))]
        present = present_frames(joint)
        made = {
            'joint': lambda: joint,
            'bone': lambda: bone,
            'motion': lambda: self.motion_scale * _motion(joint, present),
            'bone_motion': lambda: self.motion_scale * _motion(bone, present),
        }
        results['keypoint'] = np.concatenate([made[stream]() for stream in self.streams], axis=-1)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(streams={self.streams}, motion_scale={self.motion_scale})'


def _motion(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Differences [M, T, V, C] to the frame before, where `present` [M, T] says both are there."""
    motion = np.zeros_like(values)
    both = present[:, 1:] & present[:, :-1]
    motion[:, 1:] = (values[:, 1:] - values[:, :-1]) * both[..., None, None]
    return motion
