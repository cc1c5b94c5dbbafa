"""Part maps drawn from poses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.models.teachers.part_drawing import (
    FACE,
    LENGTHS,
    LENGTHS_OF,
    LIMBS,
    ORDER,
    RADII,
    PartDrawing,
)

PARTS = PART_LAYOUTS['pose_parts']
ASPECT = 4 / 3
DRAWING = PartDrawing((12, 16))


def draw(poses: np.ndarray, layout: str = 'coco17', drawing: PartDrawing = DRAWING) -> np.ndarray:
    return drawing(torch.from_numpy(poses), layout, ASPECT).numpy()


def standing(layout: str = 'coco17') -> np.ndarray:
    """A person who faces us with bent arms and spread legs, in the middle: (1, V, 3)."""
    places = dict(
        nose=(0, -0.02), head=(0, -0.02), face=(0, -0.02),
        eye=(0.02, -0.03), ear=(0.04, -0.02), shoulder=(0.11, 0.1), elbow=(0.2, 0.2),
        wrist=(0.2, 0.06), hip=(0.08, 0.37), knee=(0.1, 0.57), ankle=(0.12, 0.77),
    )  # fmt: skip
    pose = np.zeros((1, LAYOUTS[layout].num_joints, 3), np.float32)
    for index, name in enumerate(LAYOUTS[layout].names):
        kind = name.removeprefix('left_').removeprefix('right_')
        if kind in places:
            x, y = places[kind]
            # Our left is the person's right.
            x = -x if name.startswith('right_') else x
            pose[0, index] = (0.5 + x / ASPECT, 0.15 + y, 0.9)
    return pose


# --- a slow formula, pixel by pixel in float64 ------------------------------------------------


def to_segment(p, a, b):
    along = (b[0] - a[0], b[1] - a[1])
    square = along[0] ** 2 + along[1] ** 2
    share = ((p[0] - a[0]) * along[0] + (p[1] - a[1]) * along[1]) / square if square else 0
    share = min(max(share, 0), 1)
    return math.dist(p, (a[0] + share * along[0], a[1] + share * along[1]))


def in_triangle(p, a, b, c):
    """By barycentric coordinates."""
    area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if abs(area) < 1e-9:
        return False
    u = ((p[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (p[1] - a[1])) / area
    v = ((b[0] - a[0]) * (p[1] - a[1]) - (p[0] - a[0]) * (b[1] - a[1])) / area
    return u > 0 and v > 0 and u + v < 1


def middle(points):
    return tuple(sum(values) / len(points) for values in zip(*points))


def slowly(pose: np.ndarray, layout: str, drawing: PartDrawing) -> np.ndarray:
    """One frame's maps, (C, h, w)."""
    names = LAYOUTS[layout].names
    lengths = LENGTHS_OF.get(layout, LENGTHS)
    at, score = {}, {}
    for name, (x, y, own) in zip(names, pose.astype(np.float64)):
        if own >= drawing.min_score:
            at[name], score[name] = (x * ASPECT, y), own

    def height_by(triples):
        return max(
            [math.dist(at[a], at[b]) / lengths[k] for k, a, b in triples if a in at and b in at],
            default=0,
        )

    ends = {
        f'{side}_{kind}': (kind, f'{side}_{a}', f'{side}_{b}', reach)
        for kind, (a, b, reach) in LIMBS.items()
        for side in ('left', 'right')
    }
    height = height_by(
        [
            ('shoulders', 'left_shoulder', 'right_shoulder'),
            ('trunk', 'left_shoulder', 'left_hip'),
            ('trunk', 'right_shoulder', 'right_hip'),
        ]
    ) or height_by([(kind, a, b) for kind, a, b, _ in ends.values()])
    rows, columns = drawing.map_size
    edge = max(drawing.softness * height, (1 / rows + ASPECT / columns) / 2)

    def cover(kind, distance):
        return min(max(0.5 + (RADII[kind] * height - distance) / edge, 0), 1) if height else 0

    shoulders = [n for n in ('left_shoulder', 'right_shoulder') if n in at]
    hips = [n for n in ('left_hip', 'right_hip') if n in at]
    face = [n for n in FACE if n in at]
    ears = [n for n in ('left_ear', 'right_ear') if n in at]
    maps = np.zeros((len(PARTS.names), rows, columns))
    for row in range(rows):
        for column in range(columns):
            p = ((column + 0.5) / columns * ASPECT, (row + 0.5) / rows)
            covers, weights = {}, {}
            for part, (kind, a, b, reach) in ends.items():
                if a in at and b in at:
                    stop = tuple(v + reach * (v - u) for u, v in zip(at[a], at[b]))
                    covers[part] = cover(kind, to_segment(p, at[a], stop))
                    weights[part] = min(score[a], score[b])
            if face:
                center = middle([at[n] for n in (ears if len(ears) == 2 else face)])
                covers['head'] = cover('head', math.dist(p, center))
                if shoulders:
                    below = middle([at[n] for n in shoulders])
                    neck = cover('neck', to_segment(p, center, below))
                    covers['head'] = max(covers['head'], neck)
                weights['head'] = 1
            if shoulders and hips:
                corners = [at[n] for n in shoulders + hips]
                distance = min(to_segment(p, a, b) for a in corners for b in corners)
                if any(in_triangle(p, a, b, c) for a in corners for b in corners for c in corners):
                    distance = 0
                covers['torso'], weights['torso'] = cover('torso', distance), 1
            rest = 1.0
            for kind in ORDER:
                here = [part for part in covers if part.endswith(kind)]
                covered = max((covers[part] for part in here), default=0)
                total = sum(covers[part] * weights[part] for part in here)
                for part in here:
                    share = covers[part] * weights[part] / total if total else 0
                    maps[PARTS.names.index(part), row, column] = rest * covered * share
                rest *= 1 - covered
            maps[0, row, column] = rest
    return maps


@pytest.mark.parametrize('layout', ['coco17', 'kinect20', 'jhmdb15'])
def test_it_draws_what_the_slow_formula_says(layout):
    generator = np.random.default_rng(0)
    poses = np.tile(standing(layout), (6, 1, 1))
    poses[1:, :, :2] += generator.normal(0, 0.08, poses[1:, :, :2].shape)
    poses[2:, :, 2] = generator.uniform(0, 1, poses[2:, :, 2].shape)
    left, right = (LAYOUTS[layout].index(f'{s}_elbow', f'{s}_wrist') for s in ('left', 'right'))
    poses[1, right] = poses[1, left] * [1, 1, 0.4]  # crossed arms, one of them less certain
    drawn = draw(poses.astype(np.float32), layout)
    for own, pose in zip(drawn, poses.astype(np.float32)):
        np.testing.assert_allclose(own, slowly(pose, layout, DRAWING), atol=2e-5)
    assert (drawn[0].reshape(len(PARTS.names), -1).max(1) > 0.5).all()  # every part is seen


SCORES = st.sampled_from([0.0, 0.125, 0.25, 0.75, 1.0])


@settings(max_examples=60)
@given(
    # Their mirror image 1 - x is exact, so that both are inside the frame or both are not.
    arrays(np.float32, (17, 2), elements=st.integers(-512, 1536).map(lambda n: n / 1024)),
    arrays(np.float32, 17, elements=SCORES),
)
def test_any_pose_gives_probabilities_and_a_mirrored_pose_the_mirrored_maps(points, scores):
    pose = np.concatenate([points, scores[:, None]], axis=1).astype(np.float32)[None]
    maps = draw(pose)
    assert np.isfinite(maps).all() and maps.min() >= 0 and maps.max() <= 1
    np.testing.assert_allclose(maps.sum(1), 1, atol=1e-5)
    mirrored = pose[:, LAYOUTS['coco17'].flip_indices].copy()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    expected = maps[:, PARTS.flip_indices][..., ::-1]
    # Rounding grows where a short limb or a thin triangle is far away.
    np.testing.assert_allclose(draw(mirrored), expected, atol=1e-3)


def test_a_joint_of_low_score_takes_its_limbs_with_it():
    pose = standing()
    elbow, hips = (
        LAYOUTS['coco17'].index('left_elbow'),
        LAYOUTS['coco17'].index('left_hip', 'right_hip'),
    )

    def drawn(pose):
        return {n for n, part in zip(PARTS.names, draw(pose)[0]) if part.max() > 0}

    assert drawn(pose) == set(PARTS.names)
    pose[0, elbow, 2] = 0.19
    assert drawn(pose) == {*PARTS.names} - {'left_upper_arm', 'left_lower_arm'}
    pose[0, hips, 2] = 0
    assert drawn(pose) == {'background', 'head', 'right_upper_arm', 'right_lower_arm',
                           'left_lower_leg', 'right_lower_leg'}  # fmt: skip
    # Where it lies does not matter any more.
    moved = pose.copy()
    moved[0, [*elbow, *hips], :2] = 0.05
    np.testing.assert_array_equal(draw(moved), draw(pose))
    pose[..., 2] = 0
    assert drawn(pose) == {'background'}


def test_the_fingerprint_follows_the_drawing_and_the_poses():
    own = DRAWING.fingerprint('poses')
    assert own == PartDrawing((12, 16)).fingerprint('poses')
    changed = [
        PartDrawing((16, 16)).fingerprint('poses'),
        PartDrawing((12, 16), min_score=0.3).fingerprint('poses'),
        DRAWING.fingerprint('others'),
    ]
    assert len({own, *changed}) == 4
