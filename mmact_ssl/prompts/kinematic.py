"""Sentences about a clip from its joints, without label, name or network."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from mmact_ssl.datasets.layouts import SkeletonLayout
from mmact_ssl.prompts.posecodes import Movement, measure

SUBJECTS = ('The person', 'Someone', 'A person', 'The figure')
# Numbers of movements per sentence, strongest first; the sentences of a clip use them in turn.
LENGTHS = (6, 3, 2, 4, 1, 3)
COUNT = 8  # sentences of a clip
LIFTS = {
    'up': ('raises', 'lifts'),
    'down': ('lowers', 'brings down'),
    'forward': ('stretches forward', 'moves forward'),
    'backward': ('draws back', 'moves backward'),
    'outward': ('moves outward', 'spreads'),
    'inward': ('moves across the body', 'brings inward'),
}
WHOLE_BODY = {
    'hips again': ('moves up and down', 'hops or squats'),
    'hips down': ('lowers the hips', 'goes down with bent knees'),
    'hips up': ('raises the hips', 'comes up with the whole body'),
    'travel': ('walks', 'steps', 'moves the whole body'),
    'trunk': ('leans', 'bends the trunk'),
    'trunk up': ('straightens up', 'raises the trunk'),
    'turn': ('turns', 'rotates the body'),
}
HANDS_AND_FEET = {'hand': 'both hands', 'foot': 'both feet'}


def describe(keypoint: np.ndarray, layout: SkeletonLayout) -> list[str]:
    """Describe a clip in several differently worded sentences.

    From the codes of :func:`measure` they describe which limb moves, in which direction and order,
    but not how fast and how often: a crop may show a repeated movement once, and a slow clip that
    is resampled looks quick. The same coordinates give the same sentences; a mirrored clip gives
    them with left and right exchanged. Words and grammar are our choice.

    Args:
        keypoint: ``(M, T, V, C)``, C 2 or 3.

    Returns:
        :data:`COUNT` sentences; none if :func:`measure` finds no code in the clip.
    """
    movements = measure(keypoint, layout)
    if not movements:
        return []
    # The choice of words does not depend on sides, so that mirroring a clip only exchanges left and
    # right.
    codes = sorted(f'{m.part} {m.reach} {m.cycles} {round(m.amount)}' for m in movements)
    start = zlib.crc32(' '.join(codes).encode())
    return [_sentence(movements, start + n, n) for n in range(COUNT)]


def _sentence(movements: Sequence[Movement], choice: int, number: int) -> str:
    """Write a sentence about the strongest movements, in the order of time."""
    strongest = movements[: LENGTHS[number % len(LENGTHS)]]
    moving = sorted((m for m in strongest if m.part != 'posture'), key=lambda m: m.when)
    phrases = [_phrase(m, choice + i) for i, m in enumerate(moving)]
    if not moving:
        phrases = [('does not move', 'hardly moves')[choice % 2]]
    steps = _in_order(phrases, [m.when for m in moving], choice)
    parts = [f'{SUBJECTS[choice % len(SUBJECTS)]} {"".join(steps)}']
    for posture in strongest:
        if posture.part == 'posture':
            hands = _limb_name('hand', posture.side)
            parts.append(f'{("keeps", "holds")[choice % 2]} {hands} {posture.reach}')
    return f'{" and ".join(parts)}.'


def _in_order(phrases: Sequence[str], when: Sequence[float], choice: int) -> Iterator[str]:
    """Yield phrases, with words between them for their order in time."""
    for number, phrase in enumerate(phrases):
        if number == 0:
            yield phrase
        elif when[number] - when[number - 1] < 0.08:
            yield (' and at the same time ', ' and meanwhile ')[choice % 2] + phrase
        else:
            yield (', then ', ' and after that ', ', next ')[(choice + number) % 3] + phrase


def _phrase(movement: Movement, choice: int) -> str:
    """Write the predicate of a movement."""
    describe_part = _limb if movement.part in HANDS_AND_FEET else _whole_body
    return describe_part(movement, choice) + (' and back again' if movement.returns else '')


def _limb_name(limb: str, side: str) -> str:
    return HANDS_AND_FEET[limb] if side == 'both' else f'the {side} {limb}'


def _limb(movement: Movement, choice: int) -> str:
    limb = _limb_name(movement.part, movement.side)
    first, *rest = movement.direction.split(' and ')
    verb = LIFTS[first][choice % 2] if first in LIFTS else 'moves'
    # "stretches both hands forward", not "stretches forward both hands".
    verb, _, way = verb.partition(' ')
    ways = [word for word in (way, ' and '.join(rest)) if word]
    return ' '.join(word for word in (verb, limb, ' and '.join(ways), movement.reach) if word)


def _whole_body(movement: Movement, choice: int) -> str:
    key, way = movement.part, movement.direction
    if key == 'hips':
        key, way = 'hips again' if movement.cycles >= 2 else f'hips {way}', ''
    elif key == 'trunk' and way == 'up':
        key, way = 'trunk up', ''
    elif key == 'turn':
        way = f'{"around " if movement.amount > 2.5 else ""}to the {movement.side}'
    verbs = WHOLE_BODY[key]
    return f'{verbs[choice % len(verbs)]} {way}'.rstrip()
