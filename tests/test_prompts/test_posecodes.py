"""Where up is: from the ankles to the shoulders of a person who stands."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mmact_ssl.datasets.layouts import LAYOUTS, SkeletonLayout
from mmact_ssl.prompts.kinematic import describe
from mmact_ssl.prompts.posecodes import measure
from tests.bodies import FRAMES, arm, bent, check_mirroring, move, ramp, standing, turned


@pytest.fixture(params=LAYOUTS)
def layout(request) -> SkeletonLayout:
    return LAYOUTS[request.param]


@pytest.mark.parametrize('angle', [0.6, 1.4])
def test_who_begins_with_a_bow_straightens_up(layout, angle):
    body = bent(layout, angle * (1 - ramp(10, 40)))
    told = {found.part: found for found in measure(body, layout) if found.part not in 'hand foot'}
    assert (told['trunk'].direction, told['trunk'].returns) == ('up', False)
    assert 'hips' not in told
    assert re.search('straightens up|raises the trunk', describe(body, layout)[0])
    back = measure(bent(layout, angle * ramp(10, 40)), layout)
    assert [found.direction for found in back if found.part == 'trunk'] == ['forward']
    check_mirroring(layout, body)


def test_who_walks_leaning_forward_stays_on_the_level(layout):
    body = bent(layout, 0.2 * (1 - ramp(40, 55)))
    moved = move(body, layout, list(layout.names), (0, 0, 2), ramp(0, 50))
    told = [(found.part, found.direction) for found in measure(moved, layout)]
    assert ('travel', 'forward') in told and 'hips' not in [part for part, _ in told]


def test_who_lies_down_stands_before(layout):
    """Lying is as long as standing: the first of both tells where up is."""
    lying = turned(standing(layout), -np.pi / 2 * ramp(10, 30), axes=(1, 2))
    told = {(found.part, found.direction) for found in measure(lying, layout)}
    assert {('trunk', 'backward'), ('hips', 'down')} <= told


def test_where_up_is_does_not_hang_on_ankles_that_are_not_seen(layout):
    """Filled in, they would stay behind; so would one that is lost for a moment, or jumps."""
    body = bent(layout, 0.6 * (1 - ramp(30, 45)))
    move(body, layout, list(layout.names), (0, 0, 1.5), ramp(0, 50))
    feet = [joint for joint, name in enumerate(layout.names) if name.endswith(('ankle', 'foot'))]

    def told(body):
        return [
            (m.part, m.side, m.direction, m.reach)
            for m in measure(body, layout)
            if m.part != 'foot'
        ]

    jumping = body.copy()
    jumping[:, 20, feet[:1]] += np.float32([0, -1.5, 1])
    hidden = body.copy()
    hidden[:, 10:40, feet] = 0
    assert ('trunk', '', 'up', '') in told(body)
    assert told(jumping) == told(body) == told(hidden)
    never = body.copy()
    never[:, 2:, feet] = 0
    without = body.copy()
    without[:, :, feet] = 0
    assert told(never) == told(without), 'as if the ankles had never been seen'


def test_who_sits_down_stretching_the_legs_has_stood_before(layout):
    """Reclined, with the legs out, a person is nearly as long as standing, but not upright."""
    body = standing(layout) - np.float32([0, 0.92, 0])
    legs = [j for j, name in enumerate(layout.names) if name.endswith(('knee', 'ankle', 'foot'))]
    reclined = turned(body, -0.5 * ramp(20, 25), axes=(1, 2))
    reclined[:, :, legs] = turned(body[:, :, legs], -0.8 * ramp(20, 25), axes=(1, 2))
    move(reclined, layout, list(layout.names), (0, -0.4, -0.2), ramp(15, 25))
    trunk = [found for found in measure(reclined, layout) if found.part == 'trunk']
    assert [found.direction for found in trunk] == ['backward']


def test_of_who_never_stands_the_torso_is_upright_at_first(layout):
    seat = bent(layout, np.zeros(FRAMES))
    for joint, name in enumerate(layout.names):
        if name.endswith(('knee', 'ankle', 'foot')):
            seat[:, :, joint, 1:] += (0.45, 0.5) if name.endswith('knee') else (0.45, 0.9)
    tilted = turned(seat, np.full(FRAMES, 0.6), axes=(1, 2))  # the camera looks down
    way = np.array([[0, 0.9, 0]])
    move(seat, layout, arm('left'), way[0], ramp(5, 25))
    move(tilted, layout, arm('left'), turned(way, np.array([0.6]), axes=(1, 2))[0], ramp(5, 25))
    assert measure(seat, layout)[0].direction == 'up'
    assert describe(tilted, layout) == describe(seat, layout)
