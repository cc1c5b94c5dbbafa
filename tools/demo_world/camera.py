"""Pinhole cameras of the demo world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Camera that looks at a point of the world.

    Attributes:
        azimuth: Position to the left of a person with heading 0, in radians.
        elevation: Position above the horizon, looking down, in radians.
        roll: Clockwise turn of the camera, in radians.
        distance: Distance from the target, in meters.
        focal: Focal length in widths of the image.
        target: Point that the camera looks at, in meters.
        shift: float (2,) or (T, 2), added to image positions, in widths of the image.
    """

    azimuth: float
    elevation: float
    focal: float
    roll: float = 0.0
    distance: float = 4.0
    target: tuple[float, float, float] = (0.0, 0.9, 0.0)
    shift: np.ndarray | tuple[float, float] = (0.0, 0.0)

    def axes(self) -> np.ndarray:
        """Return rows for the image's right, the image's up and the depth, float64 (3, 3)."""
        depth = -np.array(
            [
                np.sin(self.azimuth) * np.cos(self.elevation),
                np.sin(self.elevation),
                np.cos(self.azimuth) * np.cos(self.elevation),
            ]
        )
        right = np.array([np.cos(self.azimuth), 0.0, -np.sin(self.azimuth)])
        up = np.cross(right, -depth) * -1.0
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cos * right - sin * up, sin * right + cos * up, depth])

    def view(self, points: np.ndarray) -> np.ndarray:
        """Move world points (..., 3) to camera axes: x right, y up, z depth; meters."""
        axes = self.axes()
        position = np.asarray(self.target) - self.distance * axes[2]
        return (points - position) @ axes.T

    def project(self, viewed: np.ndarray) -> np.ndarray:
        """Project camera-axes points (T, V, 3) to fractions of a square frame, (T, V, 2)."""
        shift = np.broadcast_to(self.shift, (len(viewed), 2))[:, None]
        flat = viewed[..., :2] / viewed[..., 2:] * np.array([self.focal, -self.focal])
        return flat + 0.5 + shift


def _cameras(*rows: tuple[float, float, float]) -> tuple[Camera, ...]:
    """Make cameras of (azimuth, elevation, both in degrees, focal length)."""
    return tuple(
        Camera(np.deg2rad(azimuth), np.deg2rad(elevation), focal)
        for azimuth, elevation, focal in rows
    )


# Test cameras stand between and beyond the training cameras, at other heights and lenses.
CAMERAS = {
    'train': _cameras(
        (-50, 4, 1.3), (-28, 16, 1.6), (-6, 8, 1.2), (12, 22, 1.5), (34, 2, 1.8), (55, 12, 1.4)
    ),
    'test': _cameras((-40, 10, 1.5), (3, 14, 1.7), (44, 7, 1.25)),
}
