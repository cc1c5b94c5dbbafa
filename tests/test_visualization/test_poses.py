"""Drawn poses: every limb that is seen, at its place, and no other."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.visualization import draw_predicted_poses
from mmact_ssl.visualization.poses import COLOURS

LIMBS = LAYOUTS['coco17'].limbs
CLIPS, TIME, HEIGHT, WIDTH = 2, 3, 20, 30


def draw(true: np.ndarray, predicted: np.ndarray, last: np.ndarray):
    frames = np.zeros((CLIPS, TIME, HEIGHT, WIDTH, 3), np.uint8)
    figure = draw_predicted_poses(frames, true, predicted, last, 'coco17', ['walk', 'wave'])
    return figure, np.array(figure.axes).reshape(CLIPS, TIME)


@pytest.fixture
def poses() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    true, predicted = rng.random((CLIPS, TIME, 17, 3)), rng.random((CLIPS, TIME, 17, 2))
    last = rng.random((CLIPS, 17, 3))
    true[..., 2] = last[..., 2] = 1
    return true, predicted, last


def lines(axis, name: str) -> list[np.ndarray]:
    found = [line for line in axis.get_lines() if line.get_color() == COLOURS[name]]
    return [np.array(line.get_data()).T for line in found]


def test_all_limbs_are_drawn_at_their_pixels(poses):
    _, axes = draw(*poses)
    sources = dict(true=poses[0][..., :2], predicted=poses[1])
    for row in range(CLIPS):
        for step in range(TIME):
            expected = {name: value[row, step] for name, value in sources.items()}
            expected['last'] = poses[2][row, :, :2]
            for name, pose in expected.items():
                drawn = lines(axes[row, step], name)
                assert len(drawn) == len(LIMBS)
                for ends, limb in zip(drawn, LIMBS):
                    np.testing.assert_allclose(ends, pose[list(limb)] * (WIDTH, HEIGHT))


def test_unseen_joints_are_not_drawn(poses):
    """Nor are predictions of them: nothing says whether those are right."""
    true, predicted, last = poses
    wrist, nose = LAYOUTS['coco17'].index('left_wrist', 'nose')
    true[0, 1, wrist, 2] = 0
    last[1, nose, 2] = 0
    _, axes = draw(true, predicted, last)
    without_wrist = [limb for limb in LIMBS if wrist not in limb]
    without_nose = [limb for limb in LIMBS if nose not in limb]
    assert len(without_wrist) < len(LIMBS)
    for name, count in (
        ('true', len(without_wrist)),
        ('predicted', len(without_wrist)),
        ('last', len(LIMBS)),
    ):
        assert len(lines(axes[0, 1], name)) == count, name
    assert len(lines(axes[1, 2], 'last')) == len(without_nose)
    assert len(lines(axes[1, 2], 'true')) == len(LIMBS)


def test_titles_and_legend(poses):
    true, predicted, last = poses
    true[0, 0, :, 2] = 0  # the first picture shows no pose; the legend must not need it
    figure, axes = draw(true, predicted, last)
    assert [axis.get_title() for axis in axes[0]] == ['future 1', 'future 2', 'future 3']
    assert [row[0].get_ylabel() for row in axes] == ['walk', 'wave']
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {'true', 'predicted', 'last'}
    assert axes[0, 0].get_ylim() == (HEIGHT, 0), 'y points down, as in images'
