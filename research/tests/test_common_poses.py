"""ToCommonPoses: means by scores, and the same joints as ToCommonJoints."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import COMMON, LAYOUTS
from mmact_ssl.targets.meta import TargetMeta
from research.parts.common_poses import ToCommonPoses
from tests.test_datasets.test_transforms.test_skeleton.test_common import (
    NAMES,
    convert,
    every_layout,
    make,
)


def of_video(poses, layout):
    meta = {'pose': TargetMeta('pose', layout, 'f'), 'imagenet': TargetMeta('embedding', '', 'g')}
    return dict(targets={'clip': {'pose': poses.copy()}}, target_meta=meta)


@every_layout
@pytest.mark.parametrize('missing', [0.0, 0.4])
def test_poses_of_a_video_are_those_of_skeletons_where_scores_are_one(layout, missing):
    sample = make(layout, persons=1, coordinates=2, missing=missing)
    (points,) = sample['keypoint']
    seen = points.any(axis=-1, keepdims=True)
    out = ToCommonPoses()(of_video(np.concatenate([points, seen], axis=-1), layout))
    assert out['target_meta']['pose'].layout == COMMON and 'imagenet' in out['target_meta']
    poses = out['targets']['clip']['pose']
    assert poses.shape == (3, 15, 3) and poses.dtype == np.float32
    upright = convert(sample)['keypoint'][0, ..., :2] * np.float32([1, -1])
    known = poses[..., 2] > 0
    assert known.any() and np.array_equal(known, upright.any(axis=-1))
    np.testing.assert_allclose(poses[known][:, :2], upright[known], rtol=0, atol=2e-5)


def test_a_joint_is_the_mean_of_others_by_their_scores():
    poses = np.zeros((1, 17, 3))
    left, right = LAYOUTS['coco17'].index('left_hip', 'right_hip')
    poses[0, left], poses[0, right] = (0.2, 0.5, 0.9), (0.6, 0.3, 0.3)
    out = ToCommonPoses()(of_video(poses, 'coco17'))['targets']['clip']['pose']
    hip = out[0, NAMES.index('mid_hip')]
    np.testing.assert_allclose(hip, [(0.18 + 0.18) / 1.2, (0.45 + 0.09) / 1.2, 0.6])
    assert np.isfinite(out).all() and not out[0, NAMES.index('neck'), 2]
    poses[0, right] = np.nan, np.nan, 0  # one of the two is unknown
    out = ToCommonPoses()(of_video(poses, 'coco17'))['targets']['clip']['pose']
    np.testing.assert_allclose(out[0, NAMES.index('mid_hip')], [0.2, 0.5, 0.45], rtol=1e-5)
    with pytest.raises(KeyError, match="ToCommonPoses: view 'clip_b' is not among"):
        ToCommonPoses(views=('clip', 'clip_b'))(of_video(poses, 'coco17'))
