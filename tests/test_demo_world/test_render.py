"""Painting: part maps, visibility and picture agree with the skeleton."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.demo_world.actions import CLASSES
from mmact_ssl.demo_world.render import LIP_LABELS, Clothes, capsule, render, visibility
from mmact_ssl.demo_world.scene import FRAME_SIZE, draw_scene, make_scene, subjects

COCO = LAYOUTS['coco17']
PARTS = {
    'left_elbow': 'left_arm',
    'right_elbow': 'right_arm',
    'left_wrist': 'left_arm',
    'right_wrist': 'right_arm',
    'left_knee': 'left_leg',
    'right_knee': 'right_leg',
}


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


@pytest.mark.parametrize('index', range(12))
def test_part_map_covers_the_person(index):
    """Every visible joint is on the person; every frame has trunk, head, arms and legs."""
    scene, _, picture = painted('test', index)
    assert picture.parts.shape == (48, FRAME_SIZE, FRAME_SIZE)
    assert set(np.unique(picture.parts)) <= set(LIP_LABELS.values())
    score = visibility(scene, picture)
    frame, joint = np.nonzero(score == 1)
    column, row = (scene.camera.project(scene.coco)[frame, joint] * FRAME_SIZE).astype(int).T
    assert (picture.shape_index[frame, row, column] != 255).mean() > 0.95
    for label in ('upper_clothes', 'face'):
        assert ((picture.parts == LIP_LABELS[label]).sum((1, 2)) > 0).mean() > 0.9


def test_left_parts_are_left_for_a_person_facing_the_camera():
    """Seen from the front, the person's left limbs are on the right of the picture."""
    person = subjects(0, 'train')[0]
    for seed in range(40):
        scene = make_scene('walk', person, 2, 'train', np.random.default_rng(seed))
        forward = scene.face[:, 0] - scene.joints[:, 3]  # nose seen from the head's center
        if not (forward[:, 2] < -0.105).all():
            continue
        picture = render(scene, Clothes.draw(np.random.default_rng(0)), np.random.default_rng(0))
        for part in ('arm', 'leg'):
            columns = [
                np.nonzero(picture.parts == LIP_LABELS[f'{side}_{part}'])[2].mean()
                for side in ('left', 'right')
            ]
            assert columns[0] > columns[1] + 2
        x = scene.camera.project(scene.coco)[..., 0].mean(0)
        assert all(x[left] > x[right] for left, right in zip(COCO.left, COCO.right))
        return
    pytest.fail('no scene faces the camera')


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


def test_what_is_held_and_sat_on():
    for index, action in enumerate(CLASSES):
        scene = draw_scene(0, 'train', index)
        assert scene.action == action
        if action in ('drink', 'phone_call'):
            assert scene.prop.kind == {'drink': 'cup', 'phone_call': 'phone'}[action]
            assert scene.prop.side == scene.active_side
            hand = scene.joints[:, (7, 11)[scene.active_side]]
            assert np.linalg.norm(scene.prop_points.mean(1) - hand, axis=1).max() < 0.15
        if action in ('sit_down', 'stand_up'):
            seat = scene.stool_points[0, :2].mean(0)
            hips = scene.joints[:, 0]
            low = hips[0] if action == 'stand_up' else hips[-1]
            assert np.linalg.norm(seat - low) < 0.25


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
