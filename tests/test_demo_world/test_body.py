"""The articulated body and its actions."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.demo_world.actions import CLASSES, NUM_FRAMES, Style, cyclic, perform
from mmact_ssl.demo_world.body import NTU25, Morphology, body_joints, rotation


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
def test_feet_stay_on_or_above_the_ground(action):
    joints, _, motion = draw(action, seed=3)
    feet = joints[:, NTU25.index('left_ankle', 'right_ankle', 'left_foot', 'right_foot'), 1]
    radius = np.array([0.08, 0.08, 0.03, 0.03])
    np.testing.assert_allclose((feet - radius).min(1), motion.lift, atol=1e-9)


@pytest.mark.parametrize('seed', range(4))
def test_standing_up_is_sitting_down_backwards(seed):
    down, _, _ = draw('sit_down', seed)
    up, _, _ = draw('stand_up', seed)
    np.testing.assert_allclose(up, down[::-1], atol=1e-12)
    hips = down[:, NTU25.names.index('spine_base'), 1]
    assert hips[0] - hips[-1] > 0.25  # and it does go down


def test_drink_and_phone_call_are_one_movement():
    np.testing.assert_array_equal(draw('drink', 5)[0], draw('phone_call', 5)[0])


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


def test_heading_turns_the_body_about_the_vertical():
    joints, _, _ = draw('wave', seed=4)
    turned, _, _ = draw('wave', seed=4, heading=0.5)
    matrix = rotation(np.zeros(1), np.zeros(1), np.array([0.5]))[0]
    for t in (0, 20):
        for joint in range(25):
            np.testing.assert_allclose(turned[t, joint], matrix @ joints[t, joint], atol=1e-9)
    # To the left: who faced z now looks a little towards +x.
    assert (matrix @ np.array([0, 0, 1.0]))[0] > 0


@pytest.mark.parametrize(
    'action,joint', [('wave', 'wrist'), ('drink', 'wrist'), ('kick', 'ankle'), ('throw', 'wrist')]
)
@pytest.mark.parametrize('side', [0, 1])
def test_the_active_limb_is_the_one_asked_for(action, joint, side):
    joints, _, _ = draw(action, seed=6, side=side)
    ways = [
        np.ptp(joints[:, NTU25.names.index(f'{name}_{joint}')], axis=0).max()
        for name in ('left', 'right')
    ]
    assert ways[side] > 1.5 * ways[1 - side]


def test_every_action_moves_in_every_window():
    """Any 32 of the 48 frames show more than the idle sway of a few centimeters."""
    for action in CLASSES:
        for seed in range(4):
            joints, _, _ = draw(action, seed)
            for start in (0, 8, 16):
                way = np.ptp(joints[start : start + 32], axis=0).max()
                assert way > 0.2, (action, seed, start)


def test_cyclic_meets_its_keys_and_wraps():
    keys = [(0.0,), (2.0,), (1.0,)]
    times = [0.1, 0.4, 0.8]
    values = cyclic(np.array([0.1, 0.4, 0.8, 1.1, 3.4, 0.0]), times, keys)[:, 0]
    np.testing.assert_allclose(values[:5], [0, 2, 1, 0, 2], atol=1e-12)
    assert 0 < values[5] < 1  # on the way from the last key to the first
