"""Renderer of a scene: tapered capsules in order of depth, as pictures and as part maps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .background import Backdrop
from .body import NTU25
from .scene import FRAME_SIZE, Scene

# Labels of LIP (Gong et al. 2017) that the world uses; clothed limbs have the label of the limb.
LIP_LABELS = {
    'background': 0,
    'hair': 2,
    'upper_clothes': 5,
    'face': 13,
    'left_arm': 14,
    'right_arm': 15,
    'left_leg': 16,
    'right_leg': 17,
    'left_shoe': 18,
    'right_shoe': 19,
}
SUPERSAMPLING = 2
FIXED_POINT = 4  # fractional bits of OpenCV's polygon coordinates
ROUND = 6  # points of each half circle
# The sentences use the names. A change of names or values needs a new VERSION in write.py.
PALETTE = {
    'red': (200, 40, 40),
    'blue': (40, 90, 200),
    'green': (40, 150, 60),
    'yellow': (230, 200, 60),
    'white': (240, 240, 235),
    'black': (35, 35, 40),
    'purple': (130, 60, 150),
    'orange': (240, 130, 40),
    'grey': (120, 120, 125),
    'brown': (90, 60, 40),
    'turquoise': (70, 190, 200),
    'pink': (230, 140, 170),
}
COLOR_NAMES, COLORS = tuple(PALETTE), tuple(PALETTE.values())


@dataclass(frozen=True)
class Clothes:
    """Clothes of the person; colors index COLORS."""

    shirt: int
    trousers: int
    shoes: int
    long_sleeves: bool
    long_trousers: bool
    pattern: str  # 'plain', 'stripes' or 'two-tone'
    accent: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Clothes:
        """Draw clothes; shirt and trousers differ."""
        shirt, trousers, shoes, accent = (int(i) for i in rng.permutation(len(COLORS))[:4])
        sleeves, legs = bool(rng.integers(2)), bool(rng.uniform() < 0.7)
        pattern = ('plain', 'stripes', 'two-tone')[rng.integers(3)]
        return cls(shirt, trousers, shoes, sleeves, legs, pattern, accent)


@dataclass(frozen=True)
class Shape:
    """Capsule between two points with a radius at each, or the hull of four points (the torso)."""

    points: np.ndarray  # (T, K, 3) camera axes, K = 2 or 4
    radii: tuple[float, ...]
    label: int
    color: np.ndarray  # RGB
    bias: float = 0.0  # meters towards the camera, for parts on top of others


def capsule(ends: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Outlines (..., 2 * ROUND, 2) of tapered capsules with ends (..., 2, 2) and radii (..., 2)."""
    axis = ends[..., 1, :] - ends[..., 0, :]
    angle = np.arctan2(axis[..., 1], axis[..., 0])[..., None]
    half = np.linspace(0.5 * np.pi, 1.5 * np.pi, ROUND)
    first, second = angle + half, angle + half + np.pi
    rim = [
        ends[..., i, None, :]
        + radii[..., i, None, None] * np.stack([np.cos(turn), np.sin(turn)], -1)
        for i, turn in enumerate((first, second))
    ]
    return np.concatenate(rim, axis=-2)


def body_shapes(scene: Scene, clothes: Clothes) -> list[Shape]:
    """Return the shapes of the person, the thing in the hand, and the stool."""
    girth = scene.subject.body.girth * scene.subject.body.height / 1.7
    skin, hair = np.array(scene.subject.skin), np.array(scene.subject.hair)
    shirt, trousers, shoes, accent = (
        np.array(COLORS[i])
        for i in (clothes.shirt, clothes.trousers, clothes.shoes, clothes.accent)
    )
    joints, label = scene.joints, LIP_LABELS

    def at(*names: str) -> np.ndarray:
        return joints[:, NTU25.index(*names)]

    shapes = [
        Shape(
            at('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip'),
            (0.075 * girth, 0.075 * girth, 0.095 * girth, 0.095 * girth),
            label['upper_clothes'],
            shirt,
        ),
        Shape(at('spine_shoulder', 'head'), (0.05, 0.045), label['face'], skin * 0.92),
    ]
    for side in ('left', 'right'):
        arm, leg, shoe = (label[f'{side}_{part}'] for part in ('arm', 'leg', 'shoe'))
        sleeve = shirt if clothes.pattern != 'two-tone' else accent
        cuff = sleeve if clothes.long_sleeves else skin
        hem = trousers * 0.94 if clothes.long_trousers else skin
        limbs = (
            ('shoulder', 'elbow', 0.062 * girth, 0.048 * girth, arm, sleeve * 0.95, 0.03),
            ('elbow', 'wrist', 0.046 * girth, 0.034 * girth, arm, cuff, 0.04),
            ('wrist', 'hand_tip', 0.04, 0.035, arm, skin, 0.05),
            ('hip', 'knee', 0.092 * girth, 0.062 * girth, leg, trousers, 0.0),
            ('knee', 'ankle', 0.06 * girth, 0.042 * girth, leg, hem, 0.01),
            ('ankle', 'foot', 0.05, 0.04, shoe, shoes, 0.02),
        )
        shapes += [
            Shape(at(f'{side}_{start}', f'{side}_{end}'), (first, last), part, color, bias)
            for start, end, first, last, part, color, bias in limbs
        ]
    head, nose = at('head')[:, 0], scene.face[:, 0]
    up = head - at('neck')[:, 0]
    up = 0.1 * up / np.linalg.norm(up, axis=1, keepdims=True)
    ahead = nose - head
    skull = np.stack([head + 0.25 * up - 0.25 * ahead, head + 0.45 * up - 0.15 * ahead], 1)
    face = np.stack([head - 0.45 * up + 0.3 * ahead, head + 0.3 * up + 0.22 * ahead], 1)
    tip = np.stack([nose - 0.2 * ahead, nose - 0.1 * ahead], 1)
    shapes += [
        Shape(skull, (0.105, 0.095), label['hair'], hair),
        Shape(face, (0.072, 0.088), label['face'], skin),
        Shape(tip, (0.02, 0.018), label['face'], skin * 0.8),
    ]
    for eye in (1, 2):
        dark = np.array([25, 25, 35])
        shapes.append(Shape(scene.face[:, [eye, eye]], (0.012, 0.012), label['face'], dark))
    if scene.prop is not None and scene.prop_points is not None:
        ends, color = scene.prop_points, np.array(scene.prop.color)
        if scene.prop.kind == 'cup':
            shapes += [
                Shape(ends, (0.06, 0.075), 0, color, 0.09),
                Shape(ends[:, [1, 1]], (0.06, 0.06), 0, color * 0.35, 0.1),
            ]
        else:
            inner = np.stack(
                [0.8 * ends[:, 0] + 0.2 * ends[:, 1], 0.2 * ends[:, 0] + 0.8 * ends[:, 1]], 1
            )
            shapes += [
                Shape(ends, (0.042, 0.042), 0, np.array([18, 18, 22]), 0.09),
                Shape(inner, (0.022, 0.022), 0, np.array([140, 210, 250]), 0.1),
            ]
    if scene.stool_points is not None:
        points, wood = scene.stool_points, np.array([140, 95, 55])
        shapes.append(Shape(points[:, :2], (0.05, 0.05), 0, wood, -0.2))
        shapes += [
            Shape(points[:, [foot % 2, foot]], (0.028, 0.022), 0, wood * 0.7, -0.22)
            for foot in (2, 3, 4, 5)
        ]
    return shapes


def outlines(shapes: list[Shape], scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Compute the outlines of S shapes in T frames, and their depth.

    Returns:
        Outlines (T, S, 4 * ROUND, 2) as fractions of the frame, where a capsule repeats its last
        point; and depth (T, S) in meters, minus the bias.
    """
    num_frames = len(scene.joints)
    rims = np.empty((num_frames, len(shapes), 4 * ROUND, 2))
    depth = np.empty((num_frames, len(shapes)))
    for place, shape in enumerate(shapes):
        image = scene.camera.project(shape.points)
        radii = np.asarray(shape.radii) * scene.camera.focal / shape.points[..., 2]
        rim = capsule(image.reshape(num_frames, -1, 2, 2), radii.reshape(num_frames, -1, 2))
        rim = rim.reshape(num_frames, -1, 2)
        rims[:, place, : rim.shape[1]] = rim
        rims[:, place, rim.shape[1] :] = rim[:, -1:]
        depth[:, place] = shape.points[..., 2].mean(1) - shape.bias
    return rims, depth


@dataclass(frozen=True)
class Rendering:
    """Pictures and part maps of a scene.

    Attributes:
        frames: uint8 (T, H, W, 3) RGB.
        parts: uint8 (T, H, W) labels of LIP (see LIP_LABELS).
        shape_index: uint8 (T, H, W) index of the visible shape, 255 for the background.
        depth: float (T, S) depth of each shape, meters.
    """

    frames: np.ndarray
    parts: np.ndarray
    shape_index: np.ndarray
    depth: np.ndarray


def render(scene: Scene, clothes: Clothes, rng: np.random.Generator) -> Rendering:
    """Render a scene of T frames at FRAME_SIZE square."""
    shapes = body_shapes(scene, clothes)
    rims, depth = outlines(shapes, scene)
    num_frames = len(rims)
    backdrop = Backdrop.draw(rng, num_frames, FRAME_SIZE * SUPERSAMPLING)
    gain = backdrop.gain
    shake = scene.camera.shift - np.mean(scene.camera.shift, axis=0)
    light = rng.uniform(-1, 1, 2) * np.array([0.012, 0.004]) + np.array([0.0, -0.008])

    fine = _fixed_point(rims, FRAME_SIZE * SUPERSAMPLING)
    # A smaller outline, moved towards the light, is a cheap highlight.
    center = rims.mean(2, keepdims=True)
    glow = center + (rims - center) * np.array([0.62, 0.62]) + light
    glow = _fixed_point(glow, FRAME_SIZE * SUPERSAMPLING)
    coarse = _fixed_point(rims, FRAME_SIZE)
    order = np.argsort(-depth, axis=1, kind='stable')
    stripes = _stripes(scene, clothes)

    frames = np.empty((num_frames, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
    index_map = np.full((num_frames, FRAME_SIZE, FRAME_SIZE), 255, np.uint8)
    colors = [np.clip(shape.color * 0.82, 0, 255).tolist() for shape in shapes]
    lights = [np.clip(shape.color * 1.06 + 6, 0, 255).tolist() for shape in shapes]
    hulls = [shape.points.shape[1] == 4 for shape in shapes]
    for t in range(num_frames):
        canvas = backdrop.frame(t, shake[t])
        for i in order[t]:
            rim, inner, small = fine[t, i], glow[t, i], coarse[t, i]
            if hulls[i]:
                rim, inner, small = (cv2.convexHull(points) for points in (rim, inner, small))
            else:
                rim, inner, small = rim[: 2 * ROUND], inner[: 2 * ROUND], small[: 2 * ROUND]
            cv2.fillConvexPoly(canvas, rim, colors[i], cv2.LINE_8, FIXED_POINT)
            cv2.fillConvexPoly(canvas, inner, lights[i], cv2.LINE_8, FIXED_POINT)
            cv2.fillConvexPoly(index_map[t], small, int(i), cv2.LINE_8, FIXED_POINT)
            if i == 0:
                for start, end in stripes[t]:
                    cv2.line(canvas, start, end, COLORS[clothes.accent], 5, cv2.LINE_8, FIXED_POINT)
        backdrop.paint_movers(canvas, t, in_front=True)
        small_canvas = cv2.resize(canvas, (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_AREA)
        cv2.multiply(small_canvas, (*gain[t].tolist(), 0.0), dst=frames[t])
        cv2.add(frames[t], backdrop.grain[t % len(backdrop.grain)], dst=frames[t])
    labels = np.zeros(256, np.uint8)
    labels[: len(shapes)] = [shape.label for shape in shapes]
    return Rendering(frames, labels[index_map], index_map, depth)


def _fixed_point(points: np.ndarray, side: int) -> np.ndarray:
    """Convert fractions of the frame to OpenCV's fixed-point pixels of ``side`` square."""
    return np.rint(points * (side * 2**FIXED_POINT) - 2 ** (FIXED_POINT - 1)).astype(np.int32)


def _stripes(scene: Scene, clothes: Clothes) -> list[list[tuple[tuple, tuple]]]:
    """Return the lines across a striped shirt for each frame, in OpenCV's fixed-point pixels."""
    if clothes.pattern != 'stripes':
        return [[] for _ in scene.joints]
    corners = scene.camera.project(
        scene.joints[:, NTU25.index('left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')]
    )
    scale = FRAME_SIZE * SUPERSAMPLING * 2**FIXED_POINT
    lines: list[list[tuple[tuple, tuple]]] = [[] for _ in corners]
    for part in (0.12, 0.36, 0.6, 0.84):
        edge = corners[:, :2] * (1 - part) + corners[:, 2:] * part
        middle = edge.mean(1, keepdims=True)
        edge = np.rint((middle + (edge - middle) * 1.25) * scale).astype(int)
        for t, (start, end) in enumerate(edge.tolist()):
            lines[t].append((tuple(start), tuple(end)))
    return lines


def visibility(scene: Scene, rendering: Rendering) -> np.ndarray:
    """Score the visibility of each COCO-17 point, float32 (T, V=17).

    1: visible; 0.5: hidden by something at least 12 cm in front of it; 0: outside the frame.
    """
    points = scene.coco
    pixels = np.floor(scene.camera.project(points) * FRAME_SIZE).astype(int)
    inside = ((pixels >= 0) & (pixels < FRAME_SIZE)).all(-1)
    column, row = np.moveaxis(np.clip(pixels, 0, FRAME_SIZE - 1), -1, 0)
    frame = np.arange(len(points))[:, None]
    seen = rendering.shape_index[frame, row, column]
    depths = np.concatenate([rendering.depth, np.full((len(points), 1), np.inf)], axis=1)
    nearest = depths[frame, np.where(seen == 255, rendering.depth.shape[1], seen)]
    hidden = nearest < points[..., 2] - 0.12
    return np.where(inside, np.where(hidden, 0.5, 1.0), 0.0).astype(np.float32)
