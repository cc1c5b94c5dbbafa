"""Bodies made for tests of sentences, and what is asked of all sentences about them."""

from __future__ import annotations

import re

import numpy as np

from mmact_ssl.datasets.layouts import SkeletonLayout
from mmact_ssl.prompts.kinematic import describe

FRAMES = 60
# A person who stands and faces z, meters, left at +x; joints of other names lie on the spine.
STANDING = {
    'hip': (0.1, 0.9, 0.0),
    'knee': (0.1, 0.5, 0.0),
    'ankle': (0.1, 0.1, 0.0),
    'foot': (0.1, 0.05, 0.1),
    'heel': (0.1, 0.03, -0.04),
    'foot_index': (0.1, 0.03, 0.15),
    'big_toe': (0.08, 0.03, 0.15),
    'small_toe': (0.13, 0.03, 0.14),
    'shoulder': (0.2, 1.4, 0.0),
    'elbow': (0.25, 1.15, 0.0),
    'wrist': (0.28, 0.9, 0.0),
    'hand': (0.28, 0.85, 0.0),
    'hand_tip': (0.28, 0.8, 0.0),
    'thumb': (0.26, 0.85, 0.05),
    'pinky': (0.29, 0.84, -0.02),
    'index': (0.28, 0.82, 0.02),
    'eye': (0.03, 1.65, 0.08),
    'eye_inner': (0.02, 1.65, 0.09),
    'eye_outer': (0.05, 1.65, 0.07),
    'mouth': (0.02, 1.58, 0.09),
    'ear': (0.07, 1.62, 0.0),
}
HEIGHTS = {
    0.92: ('hip_center', 'mid_hip', 'spine_base', 'belly'),
    1.1: ('spine', 'spine_mid'),
    1.4: ('spine_shoulder', 'shoulder_center', 'thorax'),
    1.45: ('neck',),
    1.62: ('nose', 'face'),
    1.65: ('head',),
}
SPINE = {name: height for height, names in HEIGHTS.items() for name in names}
ARM = ('elbow', 'wrist', 'hand', 'hand_tip', 'thumb', 'pinky', 'index')
FOOT = ('ankle', 'foot', 'heel', 'foot_index', 'big_toe', 'small_toe')


def standing(layout: SkeletonLayout) -> np.ndarray:
    """float32 (M=1, T, V, 3)."""
    body = np.zeros((1, FRAMES, layout.num_joints, 3), np.float32)
    for joint, name in enumerate(layout.names):
        side, _, part = name.partition('_')
        if side in ('left', 'right'):
            body[0, :, joint] = np.multiply(STANDING[part], (1 if side == 'left' else -1, 1, 1))
        else:
            body[0, :, joint] = (0.001, SPINE[name], 0.001)
    return body


def move(body: np.ndarray, layout: SkeletonLayout, joints: list[str], way, course) -> np.ndarray:
    """Move joints by ``way`` times ``course`` (T,)."""
    for joint in layout.index(*[name for name in joints if name in layout.names]):
        body[0, :, joint] += np.multiply.outer(course, way)
    return body


def ramp(start: int, end: int) -> np.ndarray:
    return np.interp(np.arange(FRAMES), [start, end], [0, 1])


def arm(side: str) -> list[str]:
    return [f'{side}_{part}' for part in ARM]


def turned(body: np.ndarray, angles: np.ndarray, axes=(2, 0)) -> np.ndarray:
    """Turn the body of each frame by an angle (T,), the first of two axes towards the second."""
    first, second = axes
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    moved = body.copy()
    moved[..., first] = cosine * body[..., first] - sine * body[..., second]
    moved[..., second] = cosine * body[..., second] + sine * body[..., first]
    return moved


def bent(layout: SkeletonLayout, angles: np.ndarray) -> np.ndarray:
    """A standing person who bows in the hips by these angles (T,), the arms with the trunk."""
    body = standing(layout)
    legs = [f'{side}_{joint}' for side in ('left', 'right') for joint in ('knee', *FOOT)]
    legs += ['left_hip', 'right_hip', 'spine_base', 'hip_center', 'mid_hip', 'belly']
    upper = [joint for joint, name in enumerate(layout.names) if name not in legs]
    hips = np.float32([0, 0.92, 0])
    body[:, :, upper] = turned(body[:, :, upper] - hips, angles, axes=(1, 2)) + hips
    return body


def mirrored(body: np.ndarray, layout: SkeletonLayout) -> np.ndarray:
    return body[:, :, layout.flip_indices] * np.array([-1, 1, 1], np.float32)[: body.shape[-1]]


def exchange(sentence: str) -> str:
    swap = {'left': 'right', 'right': 'left'}
    return re.sub('left|right', lambda found: swap[found.group()], sentence)


def check_mirroring(layout: SkeletonLayout, body: np.ndarray) -> None:
    """A mirrored clip exchanges left and right."""
    flipped = mirrored(body, layout)
    plain = describe(body, layout)
    assert describe(flipped, layout) == [exchange(sentence) for sentence in plain]
