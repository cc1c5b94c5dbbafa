"""Skeletons in space as a camera sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.skeleton.augment import RandomRotation
from mmact_ssl.datasets.transforms.skeleton.joints import num_coordinates
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ProjectToCamera(BaseTransform):
    """Show a clip at random as a camera sees it: rotated like RandomRotation, and with a z of zero.

    The projection is orthographic, because a normalized clip does not tell its distance. Put it
    after JointJitter, whose noise would give the picture a depth again, and before BonesAndMotion.

    Required keys: ``keypoint``, with 3 coordinates. Modified keys: ``keypoint``.

    Args:
        degrees: Largest angles about x, y and z of the camera's direction from the front.
        ratio: Probability, in [0, 1].

    Source: our choice.
    """

    def __init__(
        self, degrees: float | Sequence[float] = (15, 180, 15), ratio: float = 0.5
    ) -> None:
        self.rotate = RandomRotation(degrees)
        self.ratio = ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if num_coordinates(results, self) != 3:
            raise ConfigError('ProjectToCamera: the clip has 2 coordinates: it is a picture')
        if np.random.rand() < self.ratio:
            results = self.rotate.transform(results)
            results['keypoint'][..., 2] = 0  # the rotated points are a new array
        return results
