# SPDX-License-Identifier: Apache-2.0
"""Geometric transforms of frames and poses together."""

from __future__ import annotations

from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class HorizontalFlip(BaseTransform):
    """Mirror frames and poses, left joints becoming right ones.

    In place of mmaction2's `Flip`, which takes a joint at x = 0 for a missing one and leaves it
    where it is: there, a joint on the frame's left edge stays on the left when the picture
    turns. A joint is missing when its score is 0, wherever it is, so here every x becomes
    width - x. Vertical flips and flow are not offered.

    Required keys: `imgs`, `img_shape`; optional `keypoint` [M, T, V, 2] in continuous pixels and
    `keypoint_score` [M, T, V]. Modified keys: the same. Added keys: `flip`.

    Args:
        layout: Name of the skeleton layout, which tells left from right.
        flip_ratio: Probability of a flip, 0..1.

    Raises:
        ConfigError: The layout is unknown or the probability is none.
        ValueError: The poses have another number of joints than the layout.
    """

    def __init__(self, layout: str = 'coco17', flip_ratio: float = 0.5) -> None:
        if layout not in LAYOUTS:
            raise ConfigError(
                f'HorizontalFlip: unknown layout {layout!r}; known are {", ".join(LAYOUTS)}'
            )
        if not 0 <= flip_ratio <= 1:
            raise ConfigError(f'HorizontalFlip: flip_ratio is {flip_ratio}, must be in 0..1')
        self.layout = layout
        self.flip_ratio = flip_ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip one sample or leave it."""
        results['flip'] = bool(np.random.rand() < self.flip_ratio)
        if not results['flip']:
            return results
        results['imgs'] = [mmcv.imflip(img) for img in results['imgs']]
        if 'keypoint' in results:
            layout = LAYOUTS[self.layout]
            joints = results['keypoint'].shape[2]
            if joints != layout.num_joints:
                raise ValueError(
                    f'HorizontalFlip: poses have {joints} joints, layout '
                    f'{self.layout!r} has {layout.num_joints}; set its layout'
                )
            keypoint = results['keypoint'][:, :, layout.flip_indices]
            keypoint[..., 0] = results['img_shape'][1] - keypoint[..., 0]
            results['keypoint'] = keypoint
            if 'keypoint_score' in results:
                results['keypoint_score'] = results['keypoint_score'][:, :, layout.flip_indices]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(layout={self.layout!r}, flip_ratio={self.flip_ratio})'
