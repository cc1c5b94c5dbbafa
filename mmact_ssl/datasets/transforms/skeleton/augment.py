"""Random changes of a skeleton clip that keep its action.

Each transform draws once per clip: all persons and frames turn, shear or lose the same joints
together. Frames of zeros (padding, an absent person) and missing joints stay zero. All transforms
change ``keypoint``, float32 (M, T, V, C). Rotation, shear, scale and flip need a normalized clip of
C = 2 or 3 coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from scipy.spatial.transform import Rotation

from mmact_ssl.datasets.transforms.skeleton.joints import (
    known_joints,
    layout_of,
    num_coordinates,
    transform_points,
)
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomRotation(BaseTransform):
    """Rotate a clip about the origin of its coordinates.

    Angles a, b, c about x, y, z are uniform; a point p becomes Rz(c) Ry(b) Rx(a) p. With 2
    coordinates the rotation is Rz(c).

    Required keys: ``keypoint``. Modified keys: ``keypoint``.

    Args:
        degrees: Largest angle in degrees in both directions, a number for all axes or three.
    """

    def __init__(self, degrees: float | Sequence[float] = 30.0) -> None:
        self.degrees = np.broadcast_to(degrees, 3)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        coordinates = num_coordinates(results, self)
        angles = np.random.uniform(-1, 1, 3) * self.degrees
        if coordinates == 2:
            angles[:2] = 0
        matrix = Rotation.from_euler('xyz', angles, degrees=True).as_matrix()
        matrix = matrix[:coordinates, :coordinates].astype(np.float32)
        results['keypoint'] = transform_points(results['keypoint'], matrix)
        return results


@TRANSFORMS.register_module()
class RandomShear(BaseTransform):
    """Add random multiples of the other coordinates to each coordinate.

    A point p becomes S p; the diagonal of S is 1, the rest uniform in -amplitude..amplitude.

    Required keys: ``keypoint``. Modified keys: ``keypoint``.

    Source: Rao et al. 2021 (AS-CAL); the amplitude is that of CrosSCLR (Li et al. 2021).
    """

    def __init__(self, amplitude: float = 0.5) -> None:
        self.amplitude = amplitude

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        coordinates = num_coordinates(results, self)
        matrix = np.random.uniform(-self.amplitude, self.amplitude, (coordinates, coordinates))
        np.fill_diagonal(matrix, 1)
        results['keypoint'] = transform_points(results['keypoint'], matrix.astype(np.float32))
        return results


@TRANSFORMS.register_module()
class SkeletonFlip(BaseTransform):
    """Mirror a clip at random: x becomes -x, and left and right joints change places.

    Required keys: ``keypoint``, ``layout``. Modified keys: ``keypoint``, and ``never_missing`` if
    present. Added keys: ``mirrored`` True, also for a clip that the draw leaves as it is, unless
    ``flip_ratio`` is 0.
    """

    def __init__(self, flip_ratio: float = 0.5) -> None:
        self.flip_ratio = flip_ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        num_coordinates(results, self)
        layout = layout_of(results, 'SkeletonFlip')
        if self.flip_ratio:
            results['mirrored'] = True
        if np.random.rand() < self.flip_ratio:
            keypoint = results['keypoint'][:, :, layout.flip_indices]
            keypoint[..., 0] *= -1
            results['keypoint'] = keypoint
            if 'never_missing' in results:
                results['never_missing'] = results['never_missing'][layout.flip_indices]
        return results


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Scale a clip about the origin by a factor uniform in 1 - amplitude..1 + amplitude.

    Required keys: ``keypoint``. Modified keys: ``keypoint``.
    """

    def __init__(self, amplitude: float = 0.1) -> None:
        self.amplitude = amplitude

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        num_coordinates(results, self)
        factor = np.random.uniform(1 - self.amplitude, 1 + self.amplitude)
        results['keypoint'] = results['keypoint'] * np.float32(factor)
        return results


@TRANSFORMS.register_module()
class JointJitter(BaseTransform):
    """Add Gaussian noise to some joints, drawn for each person and coordinate.

    Required keys: ``keypoint``. Modified keys: ``keypoint``.

    Args:
        deviation: Standard deviation of the noise of each single frame, like a sensor's, in units
            of the coordinates.
        fraction: Share of the joints with noise, drawn once per clip.
        clip_deviation: Standard deviation of noise that all frames share, like another body's.
    """

    def __init__(
        self, deviation: float = 0.02, fraction: float = 1.0, clip_deviation: float = 0.0
    ) -> None:
        self.deviation = deviation
        self.fraction = fraction
        self.clip_deviation = clip_deviation

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        keypoint = results['keypoint']
        # Seeded by the global generator, and twice as quick as its own normal draws.
        draw = np.random.default_rng(np.random.randint(2**32, dtype=np.uint64)).standard_normal
        noise = draw(keypoint.shape, np.float32)
        noise *= np.float32(self.deviation)
        if self.clip_deviation:
            noise += draw(keypoint[:, :1].shape, np.float32) * np.float32(self.clip_deviation)
        moved = known_joints(results) & _drawn_joints(keypoint.shape[2], self.fraction)
        noise[~moved] = 0
        noise += keypoint
        results['keypoint'] = noise
        return results


@TRANSFORMS.register_module()
class JointMask(BaseTransform):
    """Set some joints to zero for the whole clip.

    Zero lies in the middle of the body only in normalized clips. Bones that end at a masked joint
    are meaningless: put BonesAndMotion before this transform.

    Required keys: ``keypoint``. Modified keys: ``keypoint``, and ``never_missing`` if present.

    Args:
        fraction: Smallest and largest share of masked joints, 0 <= smallest <= largest < 1. The
            share is uniform between them; the number of joints is rounded down.

    Source: the joint corruption of Thoker et al. 2021; the shares are our choice.
    """

    def __init__(self, fraction: Sequence[float] = (0.0, 0.3)) -> None:
        self.smallest, self.largest = fraction

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        keypoint = results['keypoint']
        masked = _drawn_joints(keypoint.shape[2], np.random.uniform(self.smallest, self.largest))
        results['keypoint'] = keypoint.copy()
        results['keypoint'][:, :, masked] = 0
        if 'never_missing' in results:
            results['never_missing'] = results['never_missing'] & ~masked
        return results


def _drawn_joints(joints: int, fraction: float) -> np.ndarray:
    """Draw a share of the joints, rounded down, without replacement: bool (V,)."""
    # The small term makes 0.3 of 10 joints 3, in spite of rounding.
    return np.random.permutation(joints) < int(joints * fraction + 1e-9)
