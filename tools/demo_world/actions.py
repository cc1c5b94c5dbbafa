"""Twelve actions as curves of limb directions over time.

Some differ only in motion (wave and clap; sit down is stand up backwards). Drink and phone call are
the same movement, with a cup or a telephone in the hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .body import Motion

NUM_FRAMES = 48
FRAME_RATE = 25

# (out, up, forward)
HANGING = ((0.14, -1.0, 0.02), (0.03, -1.0, 0.16))
RESTS = (
    HANGING,
    ((0.55, -0.8, -0.25), (-0.75, -0.45, 0.5)),
    ((0.2, -1.0, 0.1), (-0.3, 0.0, 0.9)),
    ((0.12, -0.95, -0.3), (-0.35, -0.8, -0.3)),
)
STANDING = ((0.07, -1.0, 0.02), (0.03, -1.0, -0.05))


@dataclass(frozen=True)
class Style:
    """Parameters of one performance, drawn around the subject's habits."""

    tempo: float = 1.0
    phase: float = 0.0  # 0..1, of the cycle, or the time of a single movement in the clip
    amplitude: float = 1.0
    rest: tuple = HANGING  # of the passive arm
    stance: float = 0.0  # extra spread of the legs, radians
    lean: float = 0.0
    sway: np.ndarray | None = None  # (12,) frequencies, phases of the idle sway

    @classmethod
    def draw(cls, rng: np.random.Generator, tempo: float = 1.0, amplitude: float = 1.0) -> Style:
        """Draw a performance by a subject with a habitual tempo and amplitude."""
        return cls(
            tempo=tempo * rng.uniform(0.88, 1.14),
            phase=rng.uniform(),
            amplitude=amplitude * rng.uniform(0.88, 1.12),
            rest=RESTS[rng.integers(len(RESTS))],
            stance=rng.uniform(0.0, 0.12),
            lean=rng.uniform(-0.04, 0.1),
            sway=rng.uniform(size=12),
        )


def cyclic(phase: np.ndarray, times: list[float], values: list[tuple]) -> np.ndarray:
    """Interpolate K ``values`` of D numbers smoothly and periodically: float64 (T, D).

    ``phase`` (T,) is in cycles. ``times`` are the K rising phases of the values, in 0..1.
    """
    keys = np.asarray(values, dtype=np.float64)
    ends = np.array([*times, times[0] + 1.0])
    place = np.mod(phase - times[0], 1.0) + times[0]
    left = np.clip(np.searchsorted(ends, place, side='right') - 1, 0, len(times) - 1)
    part = (place - ends[left]) / (ends[left + 1] - ends[left])
    eased = (0.5 - 0.5 * np.cos(np.pi * part))[:, None]
    return keys[left] * (1 - eased) + keys[(left + 1) % len(times)] * eased


def blend(start: tuple, end: tuple, part: np.ndarray) -> np.ndarray:
    """Interpolate from ``start`` to ``end`` (D numbers each) by ``part`` (T,): (T, D)."""
    part = part[:, None]
    return np.asarray(start) * (1 - part) + np.asarray(end) * part


def smooth(part: np.ndarray) -> np.ndarray:
    """Clip to 0..1 and ease both ends."""
    part = np.clip(part, 0.0, 1.0)
    return part * part * (3 - 2 * part)


def swing(angle: np.ndarray, out: float = 0.06) -> np.ndarray:
    """Return directions (T, 3) of a hanging limb after a forward swing by ``angle`` (T,)."""
    return np.stack([np.full_like(angle, out), -np.cos(angle), np.sin(angle)], -1)


def swing_sideways(angle: np.ndarray, forward: float) -> np.ndarray:
    """Return directions (T, 3) of a hanging limb after an outward swing by ``angle`` (T,)."""
    return np.stack([np.sin(angle), -np.cos(angle), np.full_like(angle, forward)], -1)


def standing(style: Style) -> Motion:
    """Quiet standing; the active arm (index 0) hangs, the passive one is at its rest."""
    thigh, shin = np.asarray(STANDING) + np.array([style.stance, 0.0, 0.0])
    return Motion(
        upper_arm=np.tile([HANGING[0], style.rest[0]], (NUM_FRAMES, 1, 1)),
        forearm=np.tile([HANGING[1], style.rest[1]], (NUM_FRAMES, 1, 1)),
        thigh=np.tile(thigh, (NUM_FRAMES, 2, 1)),
        shin=np.tile(shin, (NUM_FRAMES, 2, 1)),
        torso=np.tile([style.lean, 0.0, 0.0], (NUM_FRAMES, 1)),
        head=np.zeros((NUM_FRAMES, 2)),
        root=np.zeros((NUM_FRAMES, 3)),
        lift=np.zeros(NUM_FRAMES),
    )


def cycles(style: Style, rate: float) -> np.ndarray:
    """Return the phase (T,) in cycles at ``rate`` per second."""
    return np.arange(NUM_FRAMES) / FRAME_RATE * rate * style.tempo + style.phase


def wave(style: Style) -> Motion:
    """One forearm, raised, swings from side to side."""
    motion = standing(style)
    side = 0.75 * style.amplitude * np.sin(2 * np.pi * cycles(style, 1.7))
    motion.upper_arm[:, 0] = (0.85, 0.15, 0.25)
    motion.forearm[:, 0] = np.stack([0.1 + side, np.ones_like(side), np.full_like(side, 0.2)], -1)
    return motion


def clap(style: Style) -> Motion:
    """Both hands meet in front of the chest."""
    motion = standing(style)
    shut = smooth(0.5 + 0.62 * np.cos(2 * np.pi * cycles(style, 1.7)))
    open_arm = (0.3 + 0.25 * style.amplitude, 0.15, 0.8)
    for side in (0, 1):
        motion.upper_arm[:, side] = blend((0.4, -0.75, 0.45), (0.25, -0.75, 0.55), shut)
        motion.forearm[:, side] = blend(open_arm, (-0.78, 0.3, 0.68), shut)
    return motion


def hand_to_head(style: Style) -> Motion:
    """One hand rises to the face, stays, and sinks again."""
    motion = standing(style)
    phase = cycles(style, 0.55)
    up = smooth(0.75 + 1.3 * np.sin(2 * np.pi * phase))
    motion.upper_arm[:, 0] = blend((0.16, -1.0, 0.15), (0.45, -0.5, 0.75), up)
    motion.forearm[:, 0] = blend((0.0, -0.25, 1.0), (-0.62, 0.78, -0.12), up)
    motion.head[:, 0] = -0.15 * style.amplitude * up
    return motion


def sit_down(style: Style) -> Motion:
    """The hips go back and down on a stool, the trunk leaning forward on the way."""
    motion = standing(style)
    seconds = np.arange(NUM_FRAMES) / FRAME_RATE
    length = 1.0 / style.tempo
    start = 0.96 + 0.5 * (style.phase - 0.5) - 0.5 * length
    down = smooth((seconds - start) / length)
    for side in (0, 1):
        motion.thigh[:, side] = blend((0.1 + style.stance, -1.0, 0.02), (0.2, -0.08, 1.0), down)
        motion.shin[:, side] = blend((0.02, -1.0, -0.05), (0.0, -1.0, -0.1), down)
        motion.upper_arm[:, side] = blend((0.14, -1.0, 0.05), (0.16, -0.85, 0.4), down)
        motion.forearm[:, side] = blend((0.03, -1.0, 0.15), (-0.1, -0.35, 0.9), down)
    motion.torso[:, 0] += 0.65 * style.amplitude * np.sin(np.pi * down) + 0.05 * down
    motion.head[:, 0] -= 0.3 * np.sin(np.pi * down)
    motion.planted = True
    return motion


def stand_up(style: Style) -> Motion:
    """Sitting down, backwards in time."""
    return sit_down(style).reversed()


def walk(style: Style) -> Motion:
    """Steps with counter-swinging arms, forward or on the spot."""
    motion = standing(style)
    phase = 2 * np.pi * cycles(style, 0.95)
    for side, offset in ((0, 0.0), (1, np.pi)):
        angle = phase + offset
        thigh = 0.5 * style.amplitude * np.sin(angle) + 0.08
        knee = 0.12 + 0.9 * np.clip(np.cos(angle), 0, 1) ** 1.5
        motion.thigh[:, side] = swing(thigh)
        motion.shin[:, side] = swing(thigh - knee)
        arm = -0.55 * style.amplitude * np.sin(angle)
        motion.upper_arm[:, side] = swing(arm, 0.14)
        motion.forearm[:, side] = swing(arm + 0.45, 0.02)
    motion.torso[:, 0] += 0.05
    motion.torso[:, 2] = 0.12 * np.sin(phase)
    # Shorter than the steps, so that the person stays in the picture.
    seconds = np.arange(NUM_FRAMES) / FRAME_RATE
    motion.root[:, 2] = 0.5 * style.tempo * (seconds - seconds.mean())
    return motion


def kick(style: Style) -> Motion:
    """One leg swings back and snaps forward to the height of the hips."""
    motion = standing(style)
    phase = cycles(style, 0.8)
    times = [0.0, 0.22, 0.42, 0.55, 0.8]
    top = 1.25 * style.amplitude
    angles = cyclic(
        phase, times, [(0.0, 0.1), (-0.5, 1.1), (top, 0.15), (top * 0.85, 0.6), (0.05, 0.15)]
    )
    motion.thigh[:, 0] = swing(angles[:, 0])
    motion.shin[:, 0] = swing(angles[:, 0] - angles[:, 1])
    motion.torso[:, 0] += -0.22 * np.clip(angles[:, 0], 0, None)
    motion.torso[:, 2] = 0.2 * angles[:, 0]
    back = -0.5 * angles[:, 0]
    motion.upper_arm[:, 0] = swing(back, 0.45)
    motion.forearm[:, 0] = swing(back + 0.5, 0.2)
    motion.upper_arm[:, 1] = swing(-back, 0.45)
    motion.forearm[:, 1] = swing(0.5 - back, 0.2)
    return motion


def punch(style: Style) -> Motion:
    """Fists shoot forward from the guard, one after the other."""
    motion = standing(style)
    phase = cycles(style, 1.1)
    for side, offset in ((0, 0.0), (1, 0.5)):
        out = cyclic(phase + offset, [0.0, 0.17, 0.27, 0.5], [(0.0,), (1.0,), (1.0,), (0.0,)])[:, 0]
        motion.upper_arm[:, side] = blend((0.25, -0.9, 0.3), (0.0, -0.08, 1.0), out)
        motion.forearm[:, side] = blend((-0.25, 0.85, 0.5), (-0.2, 0.02, 1.0), out)
        motion.torso[:, 2] += (-1, 1)[side] * 0.4 * style.amplitude * out
    spread = np.array([0.12, 0.0, 0.0])
    motion.thigh[:, 0] = np.array([0.1, -1.0, -0.12]) + spread
    motion.shin[:, 0] = np.array([0.05, -1.0, -0.35])
    motion.thigh[:, 1] = np.array([0.1, -1.0, 0.4]) + spread
    motion.shin[:, 1] = np.array([0.05, -1.0, -0.1])
    motion.torso[:, 0] += 0.1
    return motion


def jumping_jack(style: Style) -> Motion:
    """Arms and legs spread sideways in a jump and close in the next one."""
    motion = standing(style)
    phase = cycles(style, 0.95)
    spread = smooth(0.5 - 0.6 * np.cos(2 * np.pi * phase))
    arm = 0.2 + 2.55 * spread
    leg = 0.04 + 0.42 * style.amplitude * spread
    for side in (0, 1):
        motion.upper_arm[:, side] = swing_sideways(arm, 0.06)
        motion.forearm[:, side] = swing_sideways(arm + 0.15, 0.12)
        motion.thigh[:, side] = swing_sideways(leg, 0.05)
        motion.shin[:, side] = swing_sideways(leg, -0.05)
    motion.lift = 0.1 * style.amplitude * np.abs(np.sin(2 * np.pi * phase))
    return motion


def bow(style: Style) -> Motion:
    """The trunk bends far forward over straight legs and rises again."""
    motion = standing(style)
    down = smooth(0.5 - 0.75 * np.cos(2 * np.pi * cycles(style, 0.6)))
    motion.torso[:, 0] += 1.15 * style.amplitude * down
    motion.head[:, 0] = 0.25 * down
    for side in (0, 1):
        motion.upper_arm[:, side] = blend((0.1, -1.0, 0.0), (0.08, -1.0, 0.12), down)
        motion.forearm[:, side] = (0.02, -1.0, 0.1)
        motion.thigh[:, side] = blend((0.07 + style.stance, -1.0, 0.02), (0.07, -1.0, 0.2), down)
    motion.planted = True
    return motion


def throw(style: Style) -> Motion:
    """One arm is drawn back above the shoulder and whips forward and down."""
    motion = standing(style)
    phase = cycles(style, 0.75)
    times = [0.0, 0.3, 0.42, 0.54, 0.78]
    keys: list[tuple] = [  # upper arm, forearm, lean, twist, step
        (0.3, -0.9, 0.1, 0.1, -0.6, 0.7, 0.0, 0.0, 0.0),
        (0.85, 0.35, -0.5, 0.15, 0.9, -0.5, -0.15, 0.55, 0.15),
        (0.35, 0.5, 0.9, 0.05, 0.6, 0.9, 0.15, -0.2, 0.5),
        (-0.25, -0.45, 0.8, -0.4, -0.8, 0.6, 0.4, -0.5, 0.5),
        (0.15, -0.95, 0.2, 0.0, -0.9, 0.35, 0.1, -0.1, 0.1),
    ]
    curves = cyclic(phase, times, keys)
    motion.upper_arm[:, 0], motion.forearm[:, 0] = curves[:, :3], curves[:, 3:6]
    motion.torso[:, 0] += curves[:, 6]
    motion.torso[:, 2] = style.amplitude * curves[:, 7]
    step = curves[:, 8]
    motion.thigh[:, 1] = swing(step)
    motion.shin[:, 1] = swing(step * 0.2 - 0.1)
    motion.thigh[:, 0] = swing(-0.5 * step)
    motion.shin[:, 0] = swing(-0.8 * step - 0.05)
    motion.upper_arm[:, 1] = blend((0.2, -0.9, 0.2), (0.3, -0.3, 0.9), step * 1.2)
    motion.forearm[:, 1] = blend((0.0, -0.9, 0.3), (0.0, 0.0, 1.0), step * 1.2)
    return motion


ACTIONS: dict[str, Callable[[Style], Motion]] = {
    'wave': wave,
    'clap': clap,
    'drink': hand_to_head,
    'phone_call': hand_to_head,
    'sit_down': sit_down,
    'stand_up': stand_up,
    'walk': walk,
    'kick': kick,
    'punch': punch,
    'jumping_jack': jumping_jack,
    'bow': bow,
    'throw': throw,
}
PROPS = {'drink': 'cup', 'phone_call': 'phone'}
SEATED = ('sit_down', 'stand_up')
CLASSES = tuple(ACTIONS)


def perform(action: str, style: Style, active_side: int = 0) -> Motion:
    """Return the motion of an action with idle sway, active limbs on the left (0) or right (1)."""
    motion = ACTIONS[action](style)
    if style.sway is not None:
        seconds = np.arange(NUM_FRAMES)[:, None] / FRAME_RATE
        if action == 'stand_up':  # backwards too, so that the pair stays exact
            seconds = seconds[::-1]
        rate, start = 0.25 + 0.5 * style.sway[:6], 2 * np.pi * style.sway[6:]
        curves = np.sin(2 * np.pi * rate * seconds + start)  # (T, 6)
        motion.torso = motion.torso + 0.03 * curves[:, :3]
        motion.head = motion.head + 0.15 * curves[:, [3, 4]]
        motion.root = motion.root + np.array([0.03, 0.0, 0.03]) * curves[:, [4, 0, 5]]
        motion.upper_arm = motion.upper_arm + 0.04 * curves[:, [1, 2]][:, :, None]
    return motion if active_side == 0 else motion.mirrored()
