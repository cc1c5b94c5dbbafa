"""Articulated body in 3D: from directions of limbs to the NTU-25 joints.

Body axes: x to the person's left, y up, z forward; meters. Directions of limbs are (out, up,
forward). Out points away from the middle of the body, so that a direction has the same meaning for
both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from mmact_ssl.datasets.layouts import LAYOUTS

NTU25 = LAYOUTS['ntu25']
# Nose, eyes and ears, relative to the middle of the head.
FACE = (
    (0.0, -0.01, 0.115),
    (0.036, 0.03, 0.095),
    (-0.036, 0.03, 0.095),
    (0.08, 0.0, 0.0),
    (-0.08, 0.0, 0.0),
)
SIDE_SIGN = np.array([1.0, -1.0])  # x of "out" on the left and on the right


@dataclass(frozen=True)
class Morphology:
    """Lengths of bones and radii of flesh, in meters."""

    height: float = 1.7
    girth: float = 1.0
    shoulder: float = 0.185
    hip: float = 0.095
    spine: float = 0.26  # each of the two halves
    neck: float = 0.075
    head: float = 0.15
    upper_arm: float = 0.29
    forearm: float = 0.25
    thigh: float = 0.43
    shin: float = 0.42
    foot: float = 0.17

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Morphology:
        """Draw a body; each length scales with the height and varies by up to 6 per cent."""
        height = rng.uniform(1.5, 1.92)
        scale = height / 1.7
        base = cls()
        bones = [field.name for field in fields(cls) if field.name not in ('height', 'girth')]
        lengths = {name: getattr(base, name) * scale * rng.uniform(0.94, 1.06) for name in bones}
        return cls(height=height, girth=rng.uniform(0.85, 1.25), **lengths)


@dataclass
class Motion:
    """Motion of a body over T frames; side 0 is left, 1 is right.

    Attributes:
        upper_arm, forearm, thigh, shin: float (T, side=2, 3), (out, up, forward), of any length;
            arms relative to the torso, legs relative to the heading.
        torso: float (T, 3), radians: lean forward, bend to the left, twist to the left.
        head: float (T, 2), radians: nod forward, turn to the left.
        root: float (T, 3), meters: horizontal movement of the hips along the body axes.
        lift: float (T,), meters: height of the lower foot above the ground.
        planted: The feet stay in place and the hips move, as in sitting down.
    """

    upper_arm: np.ndarray
    forearm: np.ndarray
    thigh: np.ndarray
    shin: np.ndarray
    torso: np.ndarray
    head: np.ndarray
    root: np.ndarray
    lift: np.ndarray
    planted: bool = False

    def reversed(self) -> Motion:
        """Return the same motion backwards in time."""
        return replace(self, **{name: getattr(self, name)[::-1] for name in MOTION_CURVES})

    def mirrored(self) -> Motion:
        """Return the same motion with left and right exchanged."""
        limbs = ('upper_arm', 'forearm', 'thigh', 'shin')
        return replace(
            self,
            **{name: getattr(self, name)[:, ::-1] for name in limbs},
            torso=self.torso * np.array([1.0, -1.0, -1.0]),
            head=self.head * np.array([1.0, -1.0]),
            root=self.root * np.array([-1.0, 1.0, 1.0]),
        )


MOTION_CURVES = ('upper_arm', 'forearm', 'thigh', 'shin', 'torso', 'head', 'root', 'lift')


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., 3) to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def rotation(lean: np.ndarray, bend: np.ndarray, twist: np.ndarray) -> np.ndarray:
    """Return matrices (T, 3, 3) that bend (to the left), then lean (forward), then twist (left)."""
    one, zero = np.ones_like(lean), np.zeros_like(lean)
    cos, sin = np.cos(lean), np.sin(lean)
    about_x = np.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], -1)
    cos, sin = np.cos(bend), np.sin(bend)
    about_z = np.stack([cos, sin, zero, -sin, cos, zero, zero, zero, one], -1)
    cos, sin = np.cos(twist), np.sin(twist)
    about_y = np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], -1)
    shape = (*lean.shape, 3, 3)
    return about_y.reshape(shape) @ about_x.reshape(shape) @ about_z.reshape(shape)


def turn(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Apply matrices (T, 3, 3) to vectors (3,) or (T, 3): (T, 3)."""
    return np.einsum('tij,tj->ti', matrices, np.broadcast_to(vectors, matrices.shape[:2]))


def body_joints(
    motion: Motion, body: Morphology, heading: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Compute joints from a motion: forward kinematics; ``heading`` turns the body to its left.

    Returns:
        tuple: NTU-25 joints, float64 (T, V=25, 3), meters, the lower foot on the ground y = 0
        except where the motion lifts it; and the five face points of COCO-17 (nose, left and
        right eye, left and right ear), float64 (T, 5, 3).
    """
    lean, bend, twist = motion.torso.T
    pelvis = rotation(0.2 * lean, 0.2 * bend, 0.3 * twist)
    lower = rotation(0.6 * lean, 0.6 * bend, 0.6 * twist)
    torso = rotation(lean, bend, twist)
    nod, gaze = motion.head.T
    skull = torso @ rotation(nod, np.zeros_like(nod), gaze)

    num_frames = len(motion.lift)
    joints = np.zeros((num_frames, NTU25.num_joints, 3))

    def put(name: str, parent: str, offset: np.ndarray) -> None:
        joints[:, NTU25.names.index(name)] = joints[:, NTU25.names.index(parent)] + offset

    put('spine_mid', 'spine_base', turn(lower, np.array([0, body.spine, 0])))
    put('spine_shoulder', 'spine_mid', turn(torso, np.array([0, body.spine, 0])))
    put('neck', 'spine_shoulder', turn(torso, np.array([0, body.neck, 0])))
    put('head', 'neck', turn(skull, np.array([0, body.head, 0.02])))
    for side, name in enumerate(('left', 'right')):
        mirror = np.array([SIDE_SIGN[side], 1.0, 1.0])
        upper_arm, forearm, thigh, shin = (
            unit(curve[:, side] * mirror)
            for curve in (motion.upper_arm, motion.forearm, motion.thigh, motion.shin)
        )
        # The thumb points forward, inward and up, as far as the forearm allows.
        wish = mirror * np.array([-0.6, 0.3, 1.0])
        thumb = unit(wish - (forearm @ wish)[:, None] * forearm)
        # The foot is perpendicular to the shin, with the toes a little out and down.
        toes = unit(
            np.stack([mirror[0] * np.full(num_frames, 0.25), shin[:, 2] - 0.25, -shin[:, 1]], -1)
        )
        shoulder = np.array([mirror[0] * body.shoulder, -0.02, 0])
        put(f'{name}_shoulder', 'spine_shoulder', turn(torso, shoulder))
        put(f'{name}_elbow', f'{name}_shoulder', turn(torso, body.upper_arm * upper_arm))
        put(f'{name}_wrist', f'{name}_elbow', turn(torso, body.forearm * forearm))
        put(f'{name}_hand', f'{name}_wrist', turn(torso, 0.08 * forearm))
        put(f'{name}_hand_tip', f'{name}_hand', turn(torso, 0.08 * forearm))
        put(f'{name}_thumb', f'{name}_wrist', turn(torso, 0.06 * forearm + 0.05 * thumb))
        put(f'{name}_hip', 'spine_base', turn(pelvis, np.array([mirror[0] * body.hip, -0.05, 0])))
        put(f'{name}_knee', f'{name}_hip', body.thigh * thigh)
        put(f'{name}_ankle', f'{name}_knee', body.shin * shin)
        put(f'{name}_foot', f'{name}_ankle', body.foot * toes)

    ankles, feet = (
        joints[:, NTU25.index(f'left_{name}', f'right_{name}')] for name in ('ankle', 'foot')
    )
    root = motion.root.copy()
    if motion.planted:
        root[:, [0, 2]] -= ankles.mean(1)[:, [0, 2]]
    sole = np.minimum(ankles[..., 1] - 0.08, feet[..., 1] - 0.03).min(1)
    root[:, 1] = motion.lift - sole
    joints += root[:, None]

    face = joints[:, NTU25.index('head')] + np.einsum('tij,pj->tpi', skull, np.array(FACE))
    facing = rotation(np.zeros(1), np.zeros(1), np.array([heading]))[0]
    return joints @ facing.T, face @ facing.T


COCO_FROM_NTU = NTU25.index(*LAYOUTS['coco17'].names[5:])
