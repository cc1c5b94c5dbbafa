"""The made world in memory: bodies, cameras, and what is painted of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from tools.demo_world.actions import CLASSES, NUM_FRAMES, Style, perform
from tools.demo_world.body import NTU25, Morphology, body_joints
from tools.demo_world.camera import CAMERAS, Camera
from tools.demo_world.render import LIP_LABELS, Clothes, capsule, render, visibility
from tools.demo_world.scene import FRAME_SIZE, draw_scene, make_scene, subjects

COCO = LAYOUTS['coco17']
PARTS = {
    'left_elbow': 'left_arm',
    'right_elbow': 'right_arm',
    'left_wrist': 'left_arm',
    'right_wrist': 'right_arm',
    'left_knee': 'left_leg',
    'right_knee': 'right_leg',
}


QUARTER = np.pi / 2
UP, LEFT, FRONT = np.eye(3)[1], np.eye(3)[0], np.eye(3)[2]  # of a person with heading 0


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


@pytest.mark.parametrize(
    ('camera', 'right', 'up', 'near'),
    [
        (Camera(0.0, 0.0, 1.4), LEFT, UP, FRONT),
        (Camera(QUARTER, 0.0, 1.4), -FRONT, UP, LEFT),
        (Camera(0.0, QUARTER, 1.4), LEFT, -FRONT, UP),
        (Camera(0.0, 0.0, 1.4, roll=QUARTER), -UP, LEFT, FRONT),
    ],
)
def test_where_a_camera_stands_and_which_way_is_which(camera, right, up, near):
    turned = camera.view(np.stack([right, up, -near]) + camera.target)
    np.testing.assert_allclose(turned - [0, 0, camera.distance], np.eye(3), atol=1e-12)


def test_cameras_keep_distances():
    points = np.random.default_rng(0).normal(size=(2, 9, 3))
    for camera in (*CAMERAS['train'], Camera(0.3, -0.2, 1.4, 0.5, 5.0, (0.1, 0.8, -0.2))):
        one, other = camera.view(points)
        lengths = np.linalg.norm(points[0] - points[1], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(one - other, axis=-1), lengths)


def painted(split, index):
    scene = draw_scene(0, split, index)
    rng = np.random.default_rng(index)
    clothes = Clothes.draw(rng)
    return scene, clothes, render(scene, clothes, rng)


@pytest.mark.parametrize('index', range(0, 36, 5))
def test_seen_joints_lie_on_their_part(index):
    scene, _, picture = painted('train', index)
    score = visibility(scene, picture)
    points = scene.camera.project(scene.coco)
    hits = []
    for name, part in PARTS.items():
        joint = COCO.names.index(name)
        for t in np.flatnonzero(score[:, joint] == 1):
            column, row = (points[t, joint] * FRAME_SIZE).astype(int)
            if picture.parts[t, row, column]:  # not behind a held thing
                around = picture.parts[
                    t, max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3
                ]
                hits.append(LIP_LABELS[part] in around)
    assert len(hits) > 60
    assert np.mean(hits) > 0.93


def test_hidden_and_outside_joints():
    """From the side, the far hip is hidden; a joint moved out of the frame scores 0."""
    person = subjects(0, 'train')[0]
    far_hidden = []
    for seed in range(6):
        scene = make_scene('walk', person, 5, 'train', np.random.default_rng(seed))
        picture = render(scene, Clothes.draw(np.random.default_rng(1)), np.random.default_rng(1))
        depth = scene.coco[:, [11, 12], 2].mean(0)
        score = visibility(scene, picture)[:, [11, 12]].mean(0)
        far_hidden.append(score[np.argmin(depth)] >= score[np.argmax(depth)])
        moved = type(scene)(**{**vars(scene), 'camera': replace(scene.camera, shift=(2.0, 0.0))})
        assert (visibility(moved, picture) == 0).all()
    assert np.mean(far_hidden) >= 0.8


def test_things_that_tell_the_class_also_turn_up_elsewhere():
    scenes = [draw_scene(0, 'train', index) for index in range(120)]
    others = [s for s in scenes if s.action not in ('drink', 'phone_call')]
    assert {s.prop.kind for s in others if s.prop} == {'cup', 'phone'}
    assert any(s.stool_points is not None for s in scenes if s.action == 'wave')


def test_capsule_against_a_slow_twin():
    """Each outline point is at the end's radius from it, on the outer side."""
    rng = np.random.default_rng(0)
    ends, radii = rng.uniform(0, 10, (5, 2, 2)), rng.uniform(0.2, 1, (5, 2))
    rim = capsule(ends, radii)
    half = rim.shape[1] // 2
    for i in range(5):
        for k, point in enumerate(rim[i]):
            end = 0 if k < half else 1
            out = point - ends[i, end]
            np.testing.assert_allclose(np.hypot(*out), radii[i, end])
            away = ends[i, end] - ends[i, 1 - end]
            assert out @ away >= -1e-9
