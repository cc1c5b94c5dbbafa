"""Scene of a clip before rendering: the person, the motion, the things and the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .actions import CLASSES, PROPS, SEATED, Style, perform
from .body import COCO_FROM_NTU, NTU25, Morphology, body_joints, rotation, unit
from .camera import CAMERAS, Camera

FRAME_SIZE = 112
NUM_SUBJECTS = {'train': 16, 'test': 6}
# RGB.
SKINS = (
    (255, 219, 186),
    (240, 194, 150),
    (210, 158, 115),
    (170, 116, 78),
    (125, 82, 55),
    (90, 58, 42),
)
HAIRS = ((30, 25, 22), (70, 45, 30), (120, 80, 45), (200, 165, 95), (150, 60, 35), (170, 170, 170))


@dataclass(frozen=True)
class Subject:
    """Person: body, habits, skin and hair (RGB 0..255)."""

    number: int
    body: Morphology
    tempo: float
    amplitude: float
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]


def subjects(seed: int, split: str) -> list[Subject]:
    """Draw the people of a split; test people have other, higher numbers than training people."""
    first = 0 if split == 'train' else NUM_SUBJECTS['train']
    people = []
    for number in range(first, first + NUM_SUBJECTS[split]):
        rng = np.random.default_rng([seed, 1, number])
        people.append(
            Subject(
                number,
                Morphology.draw(rng),
                rng.uniform(0.85, 1.15),
                rng.uniform(0.88, 1.08),
                SKINS[rng.integers(len(SKINS))],
                HAIRS[rng.integers(len(HAIRS))],
            )
        )
    return people


@dataclass(frozen=True)
class Prop:
    """Thing ('cup' or 'phone') in the hand of one side."""

    kind: str
    side: int
    color: tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """Content of a clip of T frames, in one geometry.

    Attributes:
        joints: float64 (T, V=25, 3) NTU-25 in camera axes: x right, y up, z depth, meters.
        face: float64 (T, 5, 3) nose, eyes, ears in camera axes.
        prop_points: float64 (T, 2, 3) both ends of the thing in the hand in camera axes, or None.
        stool_points: float64 (T, 6, 3) both ends of the seat and four feet, or None.
        camera: The camera, with the shift of each frame.
    """

    action: str
    subject: Subject
    camera_number: int
    camera: Camera
    active_side: int
    style: Style
    joints: np.ndarray
    face: np.ndarray
    prop: Prop | None
    prop_points: np.ndarray | None
    stool_points: np.ndarray | None

    @property
    def coco(self) -> np.ndarray:
        """float64 (T, V=17, 3) COCO-17 points in camera axes, meters."""
        return np.concatenate([self.face, self.joints[:, COCO_FROM_NTU]], axis=1)


def _prop_ends(kind: str, joints: np.ndarray, side: int) -> np.ndarray:
    """Return the ends (T, 2, 3) of a cup across the fist, or of a phone along it, in the world."""
    name = ('left', 'right')[side]
    wrist, hand, tip = (
        joints[:, i] for i in NTU25.index(f'{name}_wrist', f'{name}_hand', f'{name}_hand_tip')
    )
    along = unit(tip - wrist)
    if kind == 'phone':
        return np.stack([hand - 0.05 * along, hand + 0.17 * along], 1)
    upright = unit(np.array([0.0, 1.0, 0.0]) + 0.35 * along)
    return np.stack([hand - 0.06 * upright, hand + 0.13 * upright], 1)


def _stool(joints: np.ndarray, heading: float, rng: np.random.Generator, used: bool) -> np.ndarray:
    """Return world points (6, 3) of a stool under the lowest hips, or of an unused stool nearby."""
    hips = joints[:, NTU25.names.index('spine_base')]
    lowest = hips[np.argmin(hips[:, 1])].copy()
    facing = rotation(np.zeros(1), np.zeros(1), np.array([heading]))[0]
    height = lowest[1] - 0.14 if used else rng.uniform(0.35, 0.5)
    if not used:
        lowest += facing @ np.array([rng.uniform(-0.7, 0.7), 0.0, rng.uniform(-0.7, -0.35)])
    middle = np.array([lowest[0], height, lowest[2]])
    seat, feet = [(0.16, 0, 0), (-0.16, 0, 0)], []
    for z in (0.14, -0.14):
        feet += [(0.16, -height, z), (-0.16, -height, z)]
    return middle + np.array(seat + feet) @ facing.T


def make_scene(
    action: str, subject: Subject, camera_number: int, split: str, rng: np.random.Generator
) -> Scene:
    """Draw a clip of an action, a subject and a camera, and compute its points in 3D."""
    active_side = int(rng.integers(2))
    style = Style.draw(rng, subject.tempo, subject.amplitude)
    motion = perform(action, style, active_side)
    heading = float(rng.uniform(-0.45, 0.45))
    joints, face = body_joints(motion, subject.body, heading)

    prop = None
    red, green, blue = (int(value) for value in rng.integers(120, 256, 3))
    if action in PROPS:
        prop = Prop(PROPS[action], active_side, (red, green, blue))
    elif rng.uniform() < 0.35:  # a thing in the hand must not reveal the class
        prop = Prop(('cup', 'phone')[rng.integers(2)], int(rng.integers(2)), (red, green, blue))
    stool = None
    if action in SEATED or rng.uniform() < 0.4:
        stool = _stool(joints, heading, rng, action in SEATED)

    base = CAMERAS[split][camera_number]
    body_height = subject.body.height
    fill = rng.uniform(0.7, 0.85)
    camera = Camera(
        base.azimuth + rng.normal(0, 0.04),
        base.elevation + rng.normal(0, 0.03),
        base.focal,
        roll=rng.normal(0, 0.03),
        distance=base.focal * body_height / fill,
        target=(0.0, 0.52 * body_height, 0.0),
    )
    viewed = camera.view(np.concatenate([joints, face], axis=1))
    camera = replace(camera, shift=_framing(camera.project(viewed), rng))
    if stool is not None:
        stool = np.broadcast_to(camera.view(stool), (len(joints), 6, 3))
    return Scene(
        action,
        subject,
        camera_number,
        camera,
        active_side,
        style,
        joints=viewed[:, : NTU25.num_joints],
        face=viewed[:, NTU25.num_joints :],
        prop=prop,
        prop_points=None if prop is None else camera.view(_prop_ends(prop.kind, joints, prop.side)),
        stool_points=stool,
    )


def _framing(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the person's position in the picture: shift (T, 2), in frames, with a shaking hand.

    ``points`` (T, P, 2) are image positions of the body under a centered camera, fractions.
    """
    low, high = points.min((0, 1)) - 0.06, points.max((0, 1)) + 0.045
    drawn_shift = rng.uniform(-0.06, 0.06, 2) * np.array([1.0, 0.6])
    # Keep the body inside the picture; center a body that is too large.
    least, most = -low, 1.0 - high
    middle = (least + most) / 2
    shift = np.where(least < most, np.clip(drawn_shift, least, most), middle)
    seconds = np.arange(len(points))[:, None] / 25
    rates, starts = rng.uniform(0.3, 1.2, 2), rng.uniform(0, 2 * np.pi, 2)
    shake = rng.uniform(0.0, 0.012) * np.sin(2 * np.pi * rates * seconds + starts)
    return shift + shake


def draw_scene(seed: int, split: str, index: int) -> Scene:
    """Draw clip ``index`` of a split: classes, subjects and cameras take turns."""
    rng = np.random.default_rng([seed, 2, 0 if split == 'train' else 1, index])
    people = subjects(seed, split)
    action = CLASSES[index % len(CLASSES)]
    turn = index // len(CLASSES)
    # Over the turns each class gets all pairs of subject and camera.
    subject = people[turn % len(people)]
    camera_number = (turn + turn // len(people)) % len(CAMERAS[split])
    return make_scene(action, subject, camera_number, split, rng)
