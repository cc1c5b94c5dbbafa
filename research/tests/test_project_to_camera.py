"""ProjectToCamera: a turned clip without depth."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.transforms.skeleton.augment import RandomRotation
from mmact_ssl.errors import ConfigError
from research.parts.project_to_camera import ProjectToCamera


def test_a_camera_sees_the_rotated_clip_without_its_depth(make_sample):
    sample = make_sample('ntu25', 2, padding=3, gaps=True)
    before = sample['keypoint'].copy()
    np.random.seed(3)
    np.random.rand()
    turned = RandomRotation((15, 180, 15))({**sample})['keypoint']
    np.random.seed(3)
    seen = ProjectToCamera(degrees=(15, 180, 15), ratio=1.0)({**sample})['keypoint']
    np.testing.assert_array_equal(seen[..., :2], turned[..., :2])
    assert not seen[..., 2].any()
    np.testing.assert_array_equal(sample['keypoint'], before)
    unseen = ProjectToCamera(ratio=0.0)({**sample})['keypoint']
    np.testing.assert_array_equal(unseen, before)
    with pytest.raises(ConfigError, match='it is a picture'):
        ProjectToCamera()(make_sample(coordinates=2))
