"""Sentences from joints: they say what was moved, in any layout, from any side, mirrored or not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets.layouts import LAYOUTS, SkeletonLayout
from mmact_ssl.prompts.kinematic import describe
from mmact_ssl.prompts.posecodes import measure
from tests.bodies import FRAMES, arm, check_mirroring, move, ramp, standing, turned


def acted(layout: SkeletonLayout) -> np.ndarray:
    """Raises the left arm, then stretches the right one, and bends forward at the end."""
    body = standing(layout)
    move(body, layout, arm('left'), (0.0, 1.0, 0.1), ramp(2, 20))
    return move(body, layout, arm('right'), (0.0, 0.35, 0.5), ramp(25, 45))


@pytest.fixture(params=LAYOUTS)
def layout(request) -> SkeletonLayout:
    return LAYOUTS[request.param]


def test_it_says_which_limb_where_and_in_which_order(layout):
    strongest, second, *still = measure(acted(layout), layout)
    assert (strongest.part, strongest.side, strongest.direction) == ('hand', 'left', 'up')
    assert strongest.reach == 'above the head'
    assert (second.part, second.side, second.direction) == ('hand', 'right', 'forward and up')
    assert strongest.when < 0.3 < 0.5 < second.when
    assert not still
    words = r'(raises|lifts) the left hand above the head.*(then|after|next).*right'
    assert re.search(words, describe(acted(layout), layout)[0])


@pytest.mark.parametrize(
    ('way', 'direction'),
    [
        ((0.8, 0.82, 1.0), 'forward and up'),
        ((0.82, -0.8, -1.0), 'backward and outward'),
        ((1.0, 0.82, 0.8), 'up and outward'),
    ],
)
def test_of_three_axes_the_two_largest_are_told(layout, way, direction):
    body = move(standing(layout), layout, arm('left'), way, ramp(5, 25))
    assert measure(body, layout)[0].direction == direction


def test_how_often_and_back_again(layout):
    course = (1 - np.cos(np.arange(FRAMES) / FRAMES * 6 * np.pi)) / 2
    quick, slow = (
        measure(move(standing(layout), layout, arm('right'), (0, 0.6, 0), moved), layout)[0]
        for moved in (course, ramp(0, FRAMES))
    )
    assert (quick.part, quick.side, quick.cycles, quick.returns) == ('hand', 'right', 3, True)
    assert (slow.cycles, slow.returns) == (0, False)


def test_what_both_sides_do_is_said_once(layout):
    body = move(standing(layout), layout, [*arm('left'), *arm('right')], (0, 0.9, 0), ramp(5, 25))
    assert [(found.part, found.side) for found in measure(body, layout)] == [('hand', 'both')]


def test_the_whole_body(layout):
    lower = [name for name in layout.names if not name.endswith(('knee', 'ankle', 'foot'))]
    down = measure(move(standing(layout), layout, lower, (0, -0.4, 0), ramp(5, 25)), layout)
    assert ('hips', 'down') in [(found.part, found.direction) for found in down]
    sat = measure(move(standing(layout), layout, lower, (0, -0.4, -0.4), ramp(5, 25)), layout)
    assert not [found for found in sat if found.part == 'foot']
    upper = [name for name in layout.names if not name.endswith(('hip', 'knee', 'ankle', 'foot'))]
    upper = [n for n in upper if n not in ('spine_base', 'hip_center', 'belly', *arm('left'))]
    bent = measure(move(standing(layout), layout, upper, (0, -0.15, 0.4), ramp(5, 25)), layout)
    assert ('trunk', 'forward') in [(found.part, found.direction) for found in bent]


def test_who_walks_is_not_said_to_move_the_feet_but_to_lift_one(layout):
    gone = move(standing(layout), layout, list(layout.names), (0, 0, 2), ramp(0, 50))
    strongest, *others = measure(gone, layout)
    assert (strongest.part, strongest.direction) == ('travel', 'forward')
    assert 'foot' not in {found.part for found in others}
    lifted = move(gone, layout, ['left_ankle', 'left_foot'], (0, 1.5, 0), ramp(10, 30))
    assert [found.side for found in measure(lifted, layout) if found.part == 'foot'] == ['left']


@pytest.mark.parametrize('angle', [np.pi, np.pi / 2, -np.pi / 2])
def test_after_a_turn_the_rest_is_told_from_the_persons_own_side(layout, angle):
    body = standing(layout)
    upper = [name for name in layout.names if not name.endswith(('hip', 'knee', 'ankle', 'foot'))]
    upper = [name for name in upper if name not in ('spine_base', 'hip_center', 'belly')]
    move(body, layout, upper, (0, -0.15, 0.4), ramp(30, 55))
    move(body, layout, arm('left'), (0, 0.4, 0.4), ramp(30, 55))
    move(body, layout, ['left_ankle', 'left_foot'], (0, 0.4, 0.4), ramp(30, 55))
    whole = turned(body, angle * ramp(0, 20))
    told = {(found.part, found.side): found for found in measure(whole, layout)}
    assert told.pop(('turn', 'left' if angle > 0 else 'right')).amount > 1.5
    assert told['trunk', ''].direction == 'forward'
    hand, foot = told['hand', 'left'], told['foot', 'left']
    assert (hand.direction, hand.reach) == ('forward and up', 'in front of the chest')
    assert foot.direction == 'forward and up'
    assert len(told) == 3 + (('posture', 'right') in told)
    check_mirroring(layout, whole)


def test_who_turns_with_the_hands_before_the_chest_moves_neither_them_nor_the_feet(layout):
    held = move(standing(layout), layout, [*arm('left'), *arm('right')], (0, 0.35, 0.4), 1.0)
    told = measure(turned(held, np.pi * ramp(5, 50)), layout)
    assert [(found.part, found.side, found.reach) for found in told] == [
        ('turn', 'left', ''),
        ('posture', 'both', 'in front of the chest'),
    ]


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(('angle', 'turns'), [(0.0, []), (np.pi / 2, ['left'])])
def test_who_falls_on_a_side_does_not_turn(layout, seed, angle, turns):
    """Hips and shoulders are then above one another, and tell of no front but by their noise."""
    fall = turned(standing(layout), np.pi / 2 * ramp(25, 45), axes=(1, 0))
    body = turned(fall, angle * ramp(2, 20))
    body += np.random.default_rng(seed).normal(size=body.shape).astype(np.float32) * 0.03
    told = measure(body, layout)
    assert [found.side for found in told if found.part == 'turn'] == turns
    assert [found.direction for found in told if found.part == 'trunk'] == ['to the left']
    check_mirroring(layout, body)


@pytest.mark.parametrize(('high', 'low'), [('left', 'right'), ('right', 'left')])
def test_hands_held_at_two_heights_are_told_in_an_order_without_a_side(layout, high, low):
    body = move(standing(layout), layout, arm(high), (0, 1, 0), np.ones(FRAMES))
    still = measure(body, layout)
    assert [(found.part, found.side, found.reach) for found in still] == [
        ('posture', high, 'above the head'),
        ('posture', low, 'at the height of the hips'),
    ]
    check_mirroring(layout, body)


@pytest.mark.parametrize(('one', 'other'), [('left', 'right'), ('right', 'left')])
def test_hands_that_move_as_far_at_one_time_are_told_in_an_order_without_a_side(layout, one, other):
    flat = standing(layout) * np.array([1, 1, 0], np.float32)  # as far to the bit
    body = move(flat, layout, arm(one), (0, 0, 0.5), ramp(5, 25))
    move(body, layout, arm(other), (0, 0, -0.5), ramp(5, 25))
    first, second = measure(body, layout)
    assert (first.amount, first.when) == pytest.approx((second.amount, second.when))
    check_mirroring(layout, body)


def any_clip(layout: SkeletonLayout, seed: int) -> np.ndarray:
    """Persons who stand anyhow and wander a little, much or not, some joints unseen at times."""
    generator = np.random.default_rng(seed)
    persons, frames = generator.integers(1, 3), generator.integers(1, 40)
    axes = generator.choice([2, 3])
    body = np.repeat(standing(layout)[:, :1, :, :axes], frames, axis=1).repeat(persons, axis=0)
    body += generator.normal(size=(persons, 1, 1, axes))
    stance = generator.normal(size=(persons, 1, layout.num_joints, axes))
    body += stance * generator.choice([0, 0.2])
    steps = generator.normal(size=body.shape) * generator.choice([0, 0.01, 0.05, 0.2])
    body += steps.cumsum(axis=1)
    if generator.random() < 0.5:
        body = body.round(1)  # many equal lengths
    body[generator.random(body.shape[:3]) < generator.choice([0, 0.1])] = 0
    return body


@settings(max_examples=100)
@given(st.sampled_from(sorted(LAYOUTS)), st.integers(0, 1 << 32))
def test_both_promises_of_mirroring_hold_for_any_clip(name, seed):
    check_mirroring(LAYOUTS[name], any_clip(LAYOUTS[name], seed))


@pytest.mark.parametrize('seed', range(4))
def test_neither_place_size_nor_side_of_the_camera_counts(layout, seed):
    generator = np.random.default_rng(seed)
    angle, place = generator.uniform(0, 6.28), generator.normal(size=3)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    seen = acted(layout) @ turn.T * generator.uniform(0.5, 2) + place
    assert describe(seen, layout) == describe(acted(layout), layout)


def test_pictures_have_y_down_and_no_depth():
    layout = LAYOUTS['coco17']
    picture = acted(layout)[..., :2] * (100, -100) + (200, 300)
    strongest = measure(picture, layout)[0]
    found = (strongest.side, strongest.direction, strongest.reach)
    assert found == ('left', 'up', 'above the head')
    behind = picture * (-1, 1) + (400, 0)  # left and right of the picture, not of the person
    assert describe(behind, layout) == describe(picture, layout)


@pytest.mark.parametrize('angle', [np.pi / 2, -np.pi / 2, 1.3])
def test_in_a_picture_from_the_side_only_up_and_down_are_told(angle):
    """Seen from the side, a movement towards the middle of the picture is forward, not inward."""
    layout = LAYOUTS['coco17']

    def seen(body, angle):
        return turned(body, np.full(FRAMES, angle))[..., :2] * (100, -100) + (200, 300)

    reached = acted(layout)
    walked = move(standing(layout), layout, list(layout.names), (0, 0, 2), ramp(0, 50))
    hands = [found.direction for found in measure(seen(reached, angle), layout)[:2]]
    assert hands == ['up', 'up'] and measure(seen(walked, angle), layout)[0].direction == ''
    spread = move(standing(layout), layout, arm('left'), (0.7, 0.1, 0), ramp(5, 25))
    assert measure(seen(spread, 0.5), layout)[0].direction == 'outward'
    check_mirroring(layout, np.float32(seen(reached, angle)))


def test_missing_joints_and_other_persons_do_not_move_anything(layout):
    body = acted(layout)
    expected = describe(body, layout)
    gap = body.copy()
    gap[0, 50:53, layout.index('left_wrist')[0]] = 0  # at rest there
    assert describe(gap, layout) == expected
    absent = np.concatenate([np.zeros_like(body), body])
    assert describe(absent, layout) == expected
    assert describe(np.zeros_like(body), layout) == []


@pytest.mark.parametrize('first', ['still', 'acting'])
def test_front_and_sides_are_those_of_the_person_described(layout, first):
    """Two persons face each other, so that one's left and front are the other's right and back."""
    body = acted(layout)
    facing = standing(layout) * np.float32([-1, 1, -1]) + np.float32([0, 0, 3])
    persons = [facing, body] if first == 'still' else [body, facing]
    assert describe(np.concatenate(persons), layout) == describe(body, layout)


def test_nothing_is_said_of_joints_that_are_never_seen(layout):
    body = acted(layout)
    body[0, :, layout.index('left_wrist')[0]] = 0
    assert {(m.part, m.side) for m in measure(body, layout)} == {('hand', 'right')}
    without_legs = acted(layout)
    knees = layout.index('left_knee', 'right_knee', 'left_ankle', 'right_ankle')
    without_legs[0, :, knees] = 0
    assert [m.reach for m in measure(without_legs, layout)] == ['', '']
    head = acted(layout)
    hidden = [joint for joint, name in enumerate(layout.names) if name not in ('head', 'nose')]
    head[0, :, hidden] = 0
    assert describe(head, layout) == []
    no_front = acted(layout)
    no_front[0, :, layout.index('left_hip')[0]] = 0
    assert measure(no_front, layout) == []


def test_sentences_differ_and_are_the_same_each_time(layout):
    sentences = describe(acted(layout), layout)
    assert len(set(sentences)) >= 6
    assert sentences == describe(acted(layout), layout)
    assert all(re.fullmatch(r'[A-Z][\w ,-]+\.', sentence) for sentence in sentences)
