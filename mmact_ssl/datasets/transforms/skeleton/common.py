"""Conversion of skeletons and poses of any layout to the joints that all layouts have."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import COMMON, LAYOUTS, SkeletonLayout
from mmact_ssl.datasets.transforms.skeleton.joints import known_joints, layout_of, num_coordinates
from mmact_ssl.registry import TRANSFORMS

# Joints that not all layouts have, and those whose mean they are; the first that a layout has.
_SOURCES = {
    'mid_hip': (('left_hip', 'right_hip'),),
    'neck': (('left_shoulder', 'right_shoulder'),),
    'head': (('head',), ('face',), ('nose', 'left_ear', 'right_ear')),
}


@TRANSFORMS.register_module()
class ToCommonJoints(BaseTransform):
    """Convert a clip to the layout ``common15``, in space, for models of several data sets.

    A joint keeps its place, or is the mean of the known joints that stand for it: the neck is the
    middle of the shoulders, ``mid_hip`` that of the hips, and a head that the layout lacks is the
    mean of nose and ears. A joint of zeros is missing, and stays so. A picture's joints (x right, y
    down) get a z of zero and y upwards, as a camera in front of the body sees it. Put it before
    NormalizeSkeleton.

    Required keys: ``keypoint`` float (M, T, V, C), C 2 or 3, ``layout``. Modified keys:
    ``keypoint`` (M, T, 15, 3), of the same dtype, ``layout``, and ``never_missing`` if present.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        sources = joint_sources(layout_of(results, 'ToCommonJoints'))
        keypoint, coordinates = results['keypoint'], num_coordinates(results, self)
        common = np.zeros((*keypoint.shape[:2], len(sources), 3), keypoint.dtype)
        seen = common[..., :coordinates]
        seen[:] = keypoint[:, :, [places[0] for places in sources]]
        known = known_joints(results)
        for joint, places in enumerate(sources):
            if len(places) > 1:
                number = np.maximum(known[:, :, places].sum(axis=-1, keepdims=True), 1)
                seen[:, :, joint] = keypoint[:, :, places].sum(axis=2) / number
        if coordinates == 2:
            common[..., 1] *= -1
        if 'never_missing' in results:
            root = [results['never_missing'][places].any() for places in sources]
            results['never_missing'] = np.array(root)
        results.update(keypoint=common, layout=COMMON)
        return results


@cache
def joint_sources(layout: SkeletonLayout) -> list[list[int]]:
    """Joints of a layout whose mean is each common joint."""
    if layout.name == COMMON:
        return [[joint] for joint in range(layout.num_joints)]
    return [
        next(
            layout.index(*names)
            for names in _SOURCES.get(joint, ((joint,),))
            if set(names) <= set(layout.names)
        )
        for joint in LAYOUTS[COMMON].names
    ]
