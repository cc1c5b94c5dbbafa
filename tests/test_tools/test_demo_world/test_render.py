"""Painting: part maps, visibility and picture agree with the skeleton."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
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
