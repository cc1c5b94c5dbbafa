"""The articulated body and its actions."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from tools.demo_world.actions import CLASSES, NUM_FRAMES, Style, perform
from tools.demo_world.body import NTU25, Morphology, body_joints


def draw(action, seed=0, side=0, heading=0.0):
    rng = np.random.default_rng(seed)
    body = Morphology.draw(rng)
    motion = perform(action, Style.draw(rng), side)
    return (*body_joints(motion, body, heading), motion)


@pytest.mark.parametrize('action', CLASSES)
def test_limbs_keep_their_length(action):
    joints, face, _ = draw(action)
    assert joints.shape == (NUM_FRAMES, 25, 3) and face.shape == (NUM_FRAMES, 5, 3)
    for start, end in NTU25.limbs:
        length = np.linalg.norm(joints[:, start] - joints[:, end], axis=-1)
        assert length.min() > 0.03
        np.testing.assert_allclose(length, length[0], rtol=1e-9)


@pytest.mark.parametrize('action', CLASSES)
def test_left_is_on_the_left(action):
    """A person at rest orientation faces z; the left hip is at +x whatever the action."""
    joints, face, _ = draw(action, seed=1)
    left, right = (joints[:, NTU25.names.index(f'{side}_hip'), 0] for side in ('left', 'right'))
    assert (left > right).all()
    assert (face[:, 1, 0] > face[:, 2, 0]).mean() > 0.9  # eyes, whatever the head turns


@pytest.mark.parametrize('action', CLASSES)
def test_mirrored_motion_is_the_mirror_image(action):
    joints, face, motion = draw(action, seed=2)
    body = Morphology.draw(np.random.default_rng(2))
    mirrored, mirrored_face = body_joints(motion.mirrored(), body)
    mirror = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(mirrored, joints[:, NTU25.flip_indices] * mirror, atol=1e-9)
    flip = LAYOUTS['coco17'].flip_indices[:5]
    np.testing.assert_allclose(mirrored_face, face[:, flip] * mirror, atol=1e-9)
