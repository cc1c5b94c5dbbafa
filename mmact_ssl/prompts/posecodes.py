"""Codes of the motion in a clip: limb, direction, extent, repetitions and time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.spatial.transform import Rotation

from mmact_ssl.datasets.layouts import SkeletonLayout
from mmact_ssl.datasets.transforms.skeleton.joints import known_joints, part, root_at_zero
from mmact_ssl.datasets.transforms.skeleton.normalize import NormalizeSkeleton

SMOOTHING = 5  # frames of the moving average
# A part that moves less is still; in torso lengths (about half a meter) and in degrees.
STILL = {'hand': 0.4, 'foot': 0.35, 'hips': 0.3, 'travel': 0.6}
STILL_ANGLE = {'trunk': 25.0, 'turn': 50.0}
# Degrees that count as much as a torso length.
ANGLE_UNIT = 60.0
# A person stands in a frame if the distance from shoulders to ankles is more than a fraction
# STRETCHED of its largest, the angle between torso and legs is below STRAIGHT degrees, and the
# direction is within SAME_WAY degrees of the first such frame's: a person that falls stands before.
STRETCHED, STRAIGHT, SAME_WAY = 0.95, 30.0, 20.0
# In a picture, a person with a smaller distance between the shoulders (in torso lengths) is seen
# from the side.
PROFILE = 0.3
HEAD_JOINTS = ('head', 'nose', 'face')
MIRRORED = {'left': 'right', 'right': 'left'}
# Words for positive and negative x, y and z of an offset; for limbs x depends on the side.
AXES = (('to the left', 'to the right'), ('up', 'down'), ('forward', 'backward'))
OUTWARD = {'left': ('outward', 'inward'), 'right': ('inward', 'outward')}
# Places of a hand above the head, the shoulders, the middle of the torso, the base of the torso,
# the middle of the thighs, and the knees.
CHEST = 'at the height of the chest'
REACHES = (
    'above the head',
    'at the height of the head',
    CHEST,
    'at the height of the belly',
    'at the height of the hips',
    'at the height of the thighs',
)


@dataclass(frozen=True)
class Movement:
    """Movement of a part of the body, or position of a still hand.

    A part is ``'hand'``, ``'foot'``, ``'hips'`` (up and down), ``'travel'`` (over the floor),
    ``'trunk'`` (leans), ``'turn'`` or ``'posture'`` (a still hand).
    """

    part: str
    side: str = ''  # 'left', 'right', 'both', or ''; for 'turn' its direction
    direction: str = ''  # such as 'up', 'down and forward'; '' for none
    reach: str = ''  # place of a hand, such as 'above the head'
    amount: float = 0.0  # extent divided by STILL or STILL_ANGLE; below 1 a part is still
    cycles: int = 0  # number of times that it goes to and fro
    returns: bool = False  # it ends near its beginning
    when: float = 0.5  # center of the movement in time, 0 (first frame) .. 1 (last)


def measure(keypoint: np.ndarray, layout: SkeletonLayout) -> list[Movement]:
    """Find the movements of a clip, strongest first, then the still hands.

    The codes resemble PoseScript's posecodes (arXiv 2210.11795), which grade angles, distances and
    relative positions of joints. The codes of motion and all bounds are our choice.

    Coordinates are in the axes of the body's first frame, so that position and direction of the
    camera do not matter. Up is the direction from the ankles to the shoulders while the person
    stands; for a person who never stands, the torso's direction in the first frame. Hands, feet and
    torso move in the person's axes of each frame, so that their words stay true after a turn;
    travel uses the first frame's axes. Only the person that moves most is described.

    Parts whose joints are never seen have no code. In space, a person has no code at all unless
    some frame shows hips, shoulders and spine, which define the front.

    Args:
        keypoint: ``(M, T, V, C)``; joints of zeros are missing. Two coordinates are a picture, x to
            the right and y down, which shows neither forward movement nor turns. For a person seen
            from the side only up and down are described.
    """
    person = _liveliest(keypoint, layout)
    movements = [] if person is None else _movements(*person, keypoint.shape[-1] == 2, layout)
    moving = [movement for movement in movements if movement.amount >= 1]
    if any(movement.part in ('travel', 'turn') for movement in moving):
        # A person who walks or turns moves the feet anyway: keep only lifted feet.
        moving = [m for m in moving if m.part != 'foot' or 'up' in m.direction]
    still = [
        replace(movement, part='posture', direction='', when=0.0, cycles=0)
        for movement in movements
        if movement.part == 'hand' and movement.amount < 1 and movement.reach
    ]
    # Sort keys contain no side, and movements with equal keys are joined, so that a mirrored clip
    # gives the same order. Still hands are sorted by reach, because their motion is noise.
    moving = _join_sides(moving)
    moving.sort(key=lambda m: (-m.amount, m.part, m.reach, m.direction, m.when))
    return moving + sorted(_join_sides(still), key=lambda m: m.reach)


def _movements(
    body: np.ndarray, seen: np.ndarray, flat: bool, layout: SkeletonLayout
) -> list[Movement]:
    """Grade all parts of a person of :func:`_liveliest` whose joints are seen."""

    def shown(*names: str) -> bool:
        return bool(seen[[joint for name in names for joint in part(layout, name)]].all())

    left, right = (
        body[:, layout.index(f'{side}_hip', f'{side}_shoulder')] for side in ('left', 'right')
    )  # (T, 2, 3)
    across = left - right
    heading = np.zeros(len(body)) if flat else _heading(across.sum(axis=1))
    has_width = (
        shown('left_shoulder', 'right_shoulder') and np.abs(across[:, 1, 0]).mean() > PROFILE
    )
    words = {'': ('sideways', 'sideways') if flat else AXES[0], **OUTWARD}  # for x
    if flat and not has_width:
        words = dict.fromkeys(words, ('', ''))

    base = body[:, part(layout, 'spine_base')].mean(axis=1)
    own = _own_axes(body - base[:, None], heading)
    head = next(name for name in HEAD_JOINTS if name in layout.names)
    has_heights = shown(head, 'shoulder_center', 'spine_base', 'left_knee', 'right_knee')
    joints = {name: own[:, place] for place, name in enumerate(layout.names)}  # (T, 3)
    joints['head'] = joints[head]
    joints['shoulders'] = own[:, part(layout, 'shoulder_center')].mean(axis=1)
    movements = []
    for side, other in MIRRORED.items():
        if shown(f'{side}_wrist', f'{side}_shoulder'):
            path = joints[f'{side}_wrist'] - joints[f'{side}_shoulder']
            farthest = int(np.linalg.norm(path - path[0], axis=1).argmax())
            now = {name: points[farthest] for name, points in joints.items()}
            other_hand = now[f'{other}_wrist'] if shown(f'{other}_wrist') else None
            reach = _reach(now, now[f'{side}_wrist'], other_hand) if has_heights else ''
            movements.append(_limb('hand', side, path, words[side], reach))
        if shown(f'{side}_ankle'):
            path = body[:, layout.index(f'{side}_ankle')[0]]
            path = _own_axes(path - path[0], heading)
            movements.append(_limb('foot', side, path, words[side]))
    if shown('spine_base'):
        movements.append(_limb('hips', '', base * (0, 1, 0), words['']))
        movements.append(_limb('travel', '', base * (1, 0, 1), words['']))
    if shown('spine_base', 'shoulder_center'):
        movements.append(_lean(joints['shoulders'], flat))
    if not flat:  # then hips and shoulders are seen, see _liveliest
        movements.append(_turn(heading))
    return movements


def _liveliest(
    keypoint: np.ndarray, layout: SkeletonLayout
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the person that moves most, and bool (V,), True for joints that are ever seen.

    The person is ``(T, V, 3)``, smoothed, with x to its left, y up and z forward.
    """
    flat = keypoint.shape[-1] == 2
    axes = ['left_hip', 'right_hip', 'left_shoulder', 'right_shoulder']
    axes += ['spine_base', 'shoulder_center']
    needed = sorted({joint for name in axes for joint in part(layout, name)})
    normalize = NormalizeSkeleton()
    persons = []
    for person in np.asarray(keypoint, np.float32):
        sample = dict(keypoint=person[None], layout=layout.name)
        sample |= root_at_zero(person[None], layout)
        known = known_joints(sample)[0]  # (T, V)
        if not (known.any() if flat else known[:, needed].all(axis=1).any()):
            continue
        moved = normalize.transform(sample)['keypoint'][0].astype(np.float64)
        if flat:
            moved = np.concatenate([moved * (1, -1), np.zeros_like(moved[..., :1])], axis=-1)
        else:
            moved = _upright(moved, known, layout)
        body = uniform_filter1d(
            _fill(moved, known), min(SMOOTHING, len(moved)), axis=0, mode='nearest'
        )
        persons.append((body, known.any(axis=0)))
    if not persons:
        return None
    body, seen = max(persons, key=lambda person: np.abs(np.diff(person[0], axis=0)).sum())
    left, right = layout.index('left_shoulder', 'right_shoulder')
    from_behind = seen[left] and seen[right] and (body[:, left, 0] - body[:, right, 0]).sum() < 0
    return (body * (-1, 1, 1) if flat and from_behind else body), seen


def _upright(person: np.ndarray, known: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    """Turn a person, ``(T, V, 3)``, so that y is up, if it stands in some frame."""
    parts = [part(layout, name) for name in ('shoulder_center', 'spine_base')]
    parts.append(layout.index('left_ankle', 'right_ankle'))
    seen = known[:, [joint for joints in parts for joint in joints]].all(axis=1)
    if not seen.any():
        return person
    shoulders, base, ankles = (person[seen][:, joints].mean(axis=1) for joints in parts)
    whole = shoulders - ankles
    length = np.linalg.norm(whole, axis=1)
    # The 90th percentile, because a tenth of the frames may have wrong ankles.
    stands = length > STRETCHED * np.percentile(length, 90)
    stands &= _degrees(shoulders - base, base - ankles) < STRAIGHT
    if not stands.any():
        return person
    stands &= _degrees(whole, whole[stands.argmax()]) < SAME_WAY
    up = _unit(whole)[stands].mean(axis=0)
    axis = np.cross(up, (0.0, 1.0, 0.0))
    angle = np.arctan2(np.linalg.norm(axis), up[1])
    return person @ Rotation.from_rotvec(angle * _unit(axis)).as_matrix().T


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)


def _degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles between vectors, ``(..., 3)``."""
    return np.degrees(np.arccos((_unit(first) * _unit(second)).sum(axis=-1).clip(-1, 1)))


def _fill(person: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Interpolate missing joints in time; joints that are never seen are zero."""
    filled = np.zeros_like(person)
    frames = np.arange(len(person))
    for joint in np.flatnonzero(seen.any(axis=0)):
        known = frames[seen[:, joint]]
        for axis in range(person.shape[2]):
            filled[:, joint, axis] = np.interp(frames, known, person[known, joint, axis])
    return filled


def _heading(across: np.ndarray) -> np.ndarray:
    """Angles ``(T,)`` about the vertical of ``across``, ``(T, 3)``, which points to the left.

    If the person lies on a side, the frame keeps the last angle.
    """
    level = np.hypot(across[:, 0], across[:, 2])
    is_known = level >= 0.5 * np.linalg.norm(across, axis=1)
    if not is_known.any():
        return np.zeros(len(across))
    angle = np.unwrap(np.arctan2(-across[is_known, 2], across[is_known, 0]))
    return angle[np.maximum(is_known.cumsum() - 1, 0)]


def _own_axes(points: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Turn the points of each frame, ``(T, ..., 3)``, so that x points to the person's left."""
    x, y, z = points.T  # (..., T)
    cosine, sine = np.cos(heading), np.sin(heading)
    return np.stack([x * cosine - z * sine, y, x * sine + z * cosine]).T


def _limb(
    name: str, side: str, path: np.ndarray, sideways: tuple[str, str], reach: str = ''
) -> Movement:
    """Grade the path of a point, ``(T, 3)``; ``sideways`` are the words for x."""
    offset = path - path[0]
    distance = np.linalg.norm(offset, axis=1)
    farthest = int(distance.argmax())
    centered = path - path.mean(axis=0)
    principal = centered @ np.linalg.svd(centered, full_matrices=False)[2][0]
    extent = float(principal.max() - principal.min())
    return Movement(
        name,
        side,
        _direction(offset[farthest], sideways),
        reach,
        amount=extent / STILL[name],
        cycles=_cycles(principal, 0.4 * extent),
        returns=bool(distance[-1] < 0.4 * distance[farthest]),
        when=_when(path),
    )


def _direction(offset: np.ndarray, sideways: tuple[str, str]) -> str:
    """Name the direction of an offset by its one or two largest axes."""
    least = 0.5 * np.linalg.norm(offset)
    largest = sorted(range(3), key=lambda axis: -abs(offset[axis]))[:2]
    words = [
        (sideways, *AXES[1:])[axis][int(offset[axis] < 0)]
        for axis in sorted(largest, reverse=True)
        if abs(offset[axis]) > least
    ]
    return ' and '.join(word for word in words if word)


def _reach(joints: dict[str, np.ndarray], hand: np.ndarray, other_hand: np.ndarray | None) -> str:
    """Name the place of a hand; all points are relative to the base of the spine."""
    head, shoulders = joints['head'], joints['shoulders']
    if np.linalg.norm(hand - head) < 0.4:
        return 'next to the head'
    if other_hand is not None and np.linalg.norm(hand - other_hand) < 0.3:
        return 'close to the other hand'
    knees = (joints['left_knee'] + joints['right_knee']) / 2
    bounds = (head, shoulders, shoulders / 2, 0 * knees, knees / 2, knees)
    place = next((name for b, name in zip(bounds, REACHES) if hand[1] > b[1]), 'near the floor')
    if place == CHEST and hand[2] > 0.25:
        return 'in front of the chest'
    return place


def _lean(torso: np.ndarray, flat: bool) -> Movement:
    """Grade the angle of the torso, ``(T, 3)``, to its direction in the first frame."""
    angle = _degrees(torso, torso[0])
    farthest = int(angle.argmax())
    away = _unit(torso)[farthest] - _unit(torso)[0]
    axis = 0 if abs(away[0]) > abs(away[2]) else 2
    direction = AXES[axis][int(away[axis] < 0)]
    rises = _degrees(torso[[0, farthest]], np.array([0.0, 1.0, 0.0]))
    if rises[0] - rises[1] > 0.5 * angle[farthest]:
        direction = 'up'
    return _turned('trunk', '', '' if flat else direction, angle)


def _turn(heading: np.ndarray) -> Movement:
    """Grade the turn of the body about the vertical."""
    angle = np.degrees(heading - heading[0])
    farthest = int(np.abs(angle).argmax())
    # If the left side goes backward (z < 0), the turn is to the left.
    side = 'left' if angle[farthest] > 0 else 'right'
    return _turned('turn', side, '', angle)


def _turned(name: str, side: str, direction: str, angle: np.ndarray) -> Movement:
    far = float(np.abs(angle).max())
    path = angle[:, None] / ANGLE_UNIT
    return Movement(
        name,
        side,
        direction,
        amount=far / STILL_ANGLE[name],
        returns=bool(abs(angle[-1]) < 0.4 * far),
        when=_when(path),
    )


def _when(path: np.ndarray) -> float:
    """Return the mean time of the movement, with steps weighted by their square."""
    weight = np.square(np.diff(path, axis=0)).sum(axis=1)
    if weight.sum() < 1e-12:
        return 0.5
    return float((weight * (np.arange(len(weight)) + 0.5)).sum() / weight.sum() / len(weight))


def _cycles(values: np.ndarray, least: float) -> int:
    """Count how often the values go to and fro by ``least`` or more."""
    turns, direction, extreme = 0, 0.0, values[0]
    for value in values:
        step = value - extreme
        if abs(step) > least and np.sign(step) != direction:
            turns, direction, extreme = turns + bool(direction), np.sign(step), value
        elif direction * step > 0:
            extreme = value
    return (turns + 1) // 2


def _join_sides(movements: list[Movement]) -> list[Movement]:
    """Join equal simultaneous movements of left and right."""
    joined: list[Movement] = []
    for movement in movements:
        other = next((m for m in joined if _is_same(m, movement)), None)
        if other is None:
            joined.append(movement)
            continue
        joined[joined.index(other)] = replace(
            max(other, movement, key=lambda m: (m.amount, m.returns)),
            side='both',
            when=(movement.when + other.when) / 2,
            cycles=min(movement.cycles, other.cycles),
        )
    return joined


def _is_same(a: Movement, b: Movement) -> bool:
    """True for equal simultaneous movements of opposite sides."""
    is_equal = (a.part, a.direction, a.reach) == (b.part, b.direction, b.reach)
    return is_equal and MIRRORED.get(a.side) == b.side and abs(a.when - b.when) < 0.2
