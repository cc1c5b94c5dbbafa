"""Poses of several layouts as those of the joints that all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import COMMON, LAYOUTS
from mmact_ssl.datasets.transforms.formatting import check_views
from mmact_ssl.datasets.transforms.skeleton.common import joint_sources
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ToCommonPoses(BaseTransform):
    """Convert the poses of a video to the layout ``common15``, for models of several data sets.

    As ``ToCommonJoints``. A joint that others stand for is their mean, weighted by their
    scores, and its score is the mean of theirs. The place of a joint of score 0 may be NaN. Put it
    behind the LoadTargets of the poses, with ``layout=None`` there.

    Required keys: ``targets`` {view: {target: float (T, V, 3)}}, x, y, score; ``target_meta``
    {target: TargetMeta}. Modified keys: the same, (T, 15, 3), of the same dtype.

    Args:
        views: Views with poses.
        target: Name of the poses.

    Source: our choice.
    """

    def __init__(self, views: Sequence[str] = ('clip',), target: str = 'pose') -> None:
        self.views = tuple(views)
        self.target = target

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        check_views(self, self.views, results['targets'])
        meta = results['target_meta'][self.target]
        for view in self.views:
            poses = results['targets'][view][self.target]
            joints = [
                _weighted_mean(poses[:, places]) for places in joint_sources(LAYOUTS[meta.layout])
            ]
            results['targets'][view][self.target] = np.stack(joints, axis=1)
        results['target_meta'][self.target] = replace(meta, layout=COMMON)
        return results


def _weighted_mean(poses: np.ndarray) -> np.ndarray:
    """Mean of the joints of (T, V, 3), x, y, score, by their scores: (T, 3)."""
    if poses.shape[1] == 1:  # to the bit
        return poses[:, 0]
    score = poses[..., 2:]
    weight = np.maximum(score, 1e-6)  # if none is known, the mean of all
    places = np.where((score == 0) & np.isnan(poses[..., :2]), 0, poses[..., :2])
    place = (weight * places).sum(axis=1) / weight.sum(axis=1)
    return np.concatenate([place, score.mean(axis=1)], axis=1)
