"""Several copies of one skeleton clip, for readouts that average over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from scipy.spatial.transform import Rotation

from mmact_ssl.datasets.transforms.skeleton.augment import SkeletonFlip
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import SCOPE, TRANSFORMS


@TRANSFORMS.register_module()
class TurnedCopies(BaseTransform):
    """Make several copies of a clip: turned about the vertical, and mirrored.

    The copies follow each other in time, as mmaction2 stores the clips of one sample. Its
    FormatGCNInput separates them, and evaluation averages their features. The clip must be
    normalized, in space (C = 3), with y upwards. The papers do not use such copies: leave them out
    for comparisons with papers.

    Required keys: ``keypoint``, ``layout``, and the keys that ``transforms`` need. Modified keys:
    ``keypoint`` (M, copies * T, V, C'). Added keys: ``num_clips``, the number of copies.

    Args:
        degrees: Angles about the vertical, one copy each.
        mirror: Add a mirrored copy for each angle. Not for data sets whose actions differ by left
            and right.
        transforms: Transforms of each single copy, such as BonesAndMotion, which must not look
            from one copy into the next.

    Source: our choice.
    """

    def __init__(
        self,
        degrees: Sequence[float] = (-30, 0, 30),
        mirror: bool = True,
        transforms: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.turns = [
            Rotation.from_euler('y', angle, degrees=True).as_matrix().astype(np.float32)
            for angle in degrees
        ]
        self.flips = [SkeletonFlip(ratio) for ratio in ((0.0, 1.0) if mirror else (0.0,))]
        self.transforms = [
            TRANSFORMS.build({'_scope_': SCOPE, **transform}) for transform in transforms
        ]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if results['keypoint'].shape[-1] != 3:
            raise ConfigError(
                f'TurnedCopies: the clip has {results["keypoint"].shape[-1]} values per joint, not '
                '3 coordinates: put it before BonesAndMotion, which goes into its `transforms`'
            )
        copies = []
        for turn in self.turns:
            for flip in self.flips:
                copy = flip({**results, 'keypoint': results['keypoint'] @ turn.T})
                for transform in self.transforms:
                    copy = transform(copy)
                copies.append(copy['keypoint'])
        return {**copy, 'keypoint': np.concatenate(copies, axis=1), 'num_clips': len(copies)}
