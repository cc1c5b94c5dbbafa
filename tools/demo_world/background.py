"""Backgrounds that do not reveal the action: texture, clutter, moving things, light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MARGIN = 12  # pixels of the fine canvas that the camera may shake


@dataclass
class Backdrop:
    """Background of a clip.

    Attributes:
        texture: uint8 (S + 2 * MARGIN, S + 2 * MARGIN, 3), S the side of the fine canvas.
        movers: Moving things: (positions int (T, 2), radii, color, in front of the person).
        gain: float (T, 3) global illumination, per channel.
        grain: uint8 (4, S/2, S/2, 3) sensor noise.
    """

    texture: np.ndarray
    movers: list[tuple[np.ndarray, tuple[int, int], tuple[int, int, int], bool]]
    gain: np.ndarray
    grain: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, num_frames: int, side: int) -> Backdrop:
        """Draw a background for ``num_frames`` frames on a canvas of ``side`` pixels."""
        full = side + 2 * MARGIN
        texture = _texture(rng, full)
        time = np.linspace(0, 1, num_frames)[:, None]
        movers = []
        for number in range(rng.integers(0, 3)):
            start, end = rng.uniform(0, side, (2, 2))
            swing = rng.uniform(0, 0.14, 2) * side
            way = (
                start
                + (end - start) * time * rng.uniform(0, 1)
                + swing * np.sin(2 * np.pi * (rng.uniform(0.5, 4.0) * time + rng.uniform(0, 1, 2)))
            )
            in_front = number == 0 and rng.uniform() < 0.25
            largest = 0.04 if in_front else 0.1
            wide, high = (int(r) for r in np.minimum(rng.uniform(0.02, 0.1, 2), largest) * side)
            red, green, blue = (int(c) for c in rng.integers(20, 250, 3))
            movers.append((np.rint(way).astype(int), (wide, high), (red, green, blue), in_front))
        flicker = rng.uniform(0, 0.08) * np.sin(
            2 * np.pi * (rng.uniform(0.3, 2.0) * time + rng.uniform())
        )
        drift = rng.uniform(-0.15, 0.15) * (time - 0.5)
        tint = rng.uniform(0.88, 1.1, 3) * rng.uniform(0.65, 1.15)
        noise = rng.normal(0, rng.uniform(1.0, 4.0), (4, side // 2, side // 2, 1))
        return cls(
            texture,
            movers,
            (1 + flicker + drift) * tint,
            np.clip(np.repeat(noise, 3, -1) + 3, 0, 255).astype(np.uint8),
        )

    def frame(self, t: int, shake: np.ndarray) -> np.ndarray:
        """Return the canvas (S, S, 3) without the person, shaken by (2,) of its side."""
        side = len(self.texture) - 2 * MARGIN
        column, row = np.clip(np.rint(MARGIN - shake * side), 0, 2 * MARGIN).astype(int)
        canvas = self.texture[row : row + side, column : column + side].copy()
        self.paint_movers(canvas, t, in_front=False)
        return canvas

    def paint_movers(self, canvas: np.ndarray, t: int, in_front: bool) -> None:
        """Paint the things that pass in front of the person, or behind the person."""
        for way, radii, color, front in self.movers:
            if front == in_front:
                cv2.ellipse(canvas, tuple(way[t].tolist()), radii, 0, 0, 360, color, -1)


def _muted(rng: np.random.Generator) -> np.ndarray:
    """Draw a color of rooms and streets, RGB (3,): any brightness, little saturation."""
    return np.clip(rng.uniform(30, 220) + rng.normal(0, 22, 3), 5, 250)


def _texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """Draw a wall and a floor with noise of several sizes and clutter: (side, side, 3)."""
    image = np.empty((side, side, 3), np.float32)
    horizon = int(rng.uniform(0.45, 0.85) * side)
    image[:horizon], image[horizon:] = (_muted(rng) for _ in range(2))
    image += np.linspace(-1, 1, side)[:, None, None] * rng.uniform(-25, 25)
    for cells in (4, 9, 24, 60):
        noise = rng.normal(0, rng.uniform(1, 8), (cells, cells, 3)).astype(np.float32)
        noise = 0.35 * noise + 0.65 * noise[..., :1]
        image += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    canvas = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(0, 5)):
        corner = rng.integers(0, side, 2)
        size = rng.uniform(0.04, 0.35, 2) * side
        color = tuple(_muted(rng).tolist())
        start, end = tuple(corner.tolist()), tuple((corner + size.astype(int)).tolist())
        kind = rng.integers(4)
        if kind == 0:
            radii, tilt = (int(size[0] / 2), int(size[1] / 2)), float(rng.uniform(0, 180))
            cv2.ellipse(canvas, start, radii, tilt, 0, 360, color, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.line(canvas, start, end, color, int(rng.integers(4, 16)), cv2.LINE_AA)
        else:
            cv2.rectangle(canvas, start, end, color, -1)
    return cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.6, 2.5)))
