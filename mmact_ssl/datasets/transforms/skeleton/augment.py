"""Random changes of a skeleton clip that leave its action what it is.

Each draws once for a clip: all persons and frames turn, shear or lose the same joints together.
Frames of zeros, which are padding or lack the person, and missing joints stay zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from scipy.spatial.transform import Rotation

from mmact_ssl.datasets.transforms.skeleton.joints import known_joints, layout_of
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomRotation(BaseTransform):
    """Turn a clip about the origin of its coordinates; normalize it first.

    Angles a, b, c about x, y, z are uniform; a point p becomes Rz(c) Ry(b) Rx(a) p. With 2
    coordinates the turn is Rz(c).

    Required keys: ``keypoint`` float32 [M, T, V, C], C 2 or 3. Modified keys: ``keypoint``.

    Args:
        degrees: Largest angle, in degrees, either way: one number, or one each for x, y, z.

    Raises:
        ConfigError: Negative or too many angles, or the clip has other than 2 or 3 coordinates.
    """

    def __init__(self, degrees: float | Sequence[float] = 30.0) -> None:
        angles = (degrees,) * 3 if isinstance(degrees, (int, float)) else tuple(degrees)
        if len(angles) != 3 or min(angles) < 0:
            raise ConfigError(
                f'RandomRotation: degrees is {degrees!r}, must be one number or three, 0 or more'
            )
        self.degrees = angles

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Turn one sample."""
        coordinates = _coordinates(results, self)
        angles = np.random.uniform(-1, 1, 3) * self.degrees
        if coordinates == 2:
            angles[:2] = 0
        matrix = Rotation.from_euler('xyz', angles, degrees=True).as_matrix()
        matrix = matrix[:coordinates, :coordinates].astype(np.float32)
        results['keypoint'] = results['keypoint'] @ matrix.T
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(degrees={self.degrees})'


@TRANSFORMS.register_module()
class RandomShear(BaseTransform):
    """Add to each coordinate random multiples of the others: p becomes S p, the diagonal of S is 1.

    Required keys: ``keypoint`` float32 [M, T, V, C], C 2 or 3. Modified keys: ``keypoint``.

    Args:
        amplitude: The multiples are uniform in -amplitude..amplitude.

    Raises:
        ConfigError: Negative amplitude, or the clip has other than 2 or 3 coordinates.

    Source: Rao et al. 2021 (AS-CAL); the amplitude is that of CrosSCLR (Li et al. 2021).
    """

    def __init__(self, amplitude: float = 0.5) -> None:
        if amplitude < 0:
            raise ConfigError(f'RandomShear: amplitude is {amplitude}, must be 0 or more')
        self.amplitude = amplitude

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Shear one sample."""
        coordinates = _coordinates(results, self)
        matrix = np.random.uniform(-self.amplitude, self.amplitude, (coordinates, coordinates))
        np.fill_diagonal(matrix, 1)
        results['keypoint'] = results['keypoint'] @ matrix.T.astype(np.float32)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(amplitude={self.amplitude})'


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Make a clip larger or smaller about the origin of its coordinates; normalize it first.

    Required keys: ``keypoint`` float32 [M, T, V, C], C 2 or 3. Modified keys: ``keypoint``.

    Args:
        amplitude: The factor is uniform in 1 - amplitude..1 + amplitude.

    Raises:
        ConfigError: The amplitude is not in 0..1, or the clip has other than 2 or 3 coordinates.
    """

    def __init__(self, amplitude: float = 0.1) -> None:
        if not 0 <= amplitude < 1:
            raise ConfigError(f'RandomScale: amplitude is {amplitude}, must be in 0..1, not 1')
        self.amplitude = amplitude

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scale one sample."""
        _coordinates(results, self)
        factor = np.random.uniform(1 - self.amplitude, 1 + self.amplitude)
        results['keypoint'] = results['keypoint'] * np.float32(factor)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(amplitude={self.amplitude})'


@TRANSFORMS.register_module()
class SkeletonFlip(BaseTransform):
    """Mirror a clip: x becomes -x, and left joints become right ones.

    The mirror stands in the origin; normalize the clip first, or the body may change its place.

    Required keys: ``keypoint`` float32 [M, T, V, C], C 2 or 3, ``layout``. Modified keys:
        ``keypoint``.

    Args:
        flip_ratio: Probability of a flip, 0..1.

    Raises:
        ConfigError: The probability is none, or the clip has other than 2 or 3 coordinates.
        DataError: The sample's layout is unknown or does not fit.
    """

    def __init__(self, flip_ratio: float = 0.5) -> None:
        if not 0 <= flip_ratio <= 1:
            raise ConfigError(f'SkeletonFlip: flip_ratio is {flip_ratio}, must be in 0..1')
        self.flip_ratio = flip_ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip one sample or leave it."""
        _coordinates(results, self)
        layout = layout_of(results, 'SkeletonFlip')
        if np.random.rand() < self.flip_ratio:
            keypoint = results['keypoint'][:, :, layout.flip_indices]
            keypoint[..., 0] *= -1
            results['keypoint'] = keypoint
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(flip_ratio={self.flip_ratio})'


@TRANSFORMS.register_module()
class JointJitter(BaseTransform):
    """Add Gaussian noise to some joints, anew in each frame and once for the clip.

    The former is a sensor's noise, the latter makes another body. Both are drawn for each person
    and coordinate.

    Required keys: ``keypoint`` float32 [M, T, V, C]. Modified keys: ``keypoint``.

    Args:
        deviation: Standard deviation of the noise of a frame, in units of the coordinates.
        fraction: Share of the joints that get noise; which ones is drawn once for the clip.
        clip_deviation: Standard deviation of the noise that all frames share.

    Raises:
        ConfigError: Negative deviation, or the share is not in 0..1.
    """

    def __init__(
        self, deviation: float = 0.02, fraction: float = 1.0, clip_deviation: float = 0.0
    ) -> None:
        for name, value in (('deviation', deviation), ('clip_deviation', clip_deviation)):
            if value < 0:
                raise ConfigError(f'JointJitter: {name} is {value}, must be 0 or more')
        if not 0 <= fraction <= 1:
            raise ConfigError(f'JointJitter: fraction is {fraction}, must be in 0..1')
        self.deviation = deviation
        self.fraction = fraction
        self.clip_deviation = clip_deviation

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Jitter one sample."""
        keypoint = results['keypoint']
        noise = np.random.normal(0, self.deviation, keypoint.shape).astype(np.float32)
        if self.clip_deviation:
            of_clip = np.random.normal(0, self.clip_deviation, keypoint[:, :1].shape)
            noise += of_clip.astype(np.float32)
        noise *= _drawn_joints(keypoint.shape[2], self.fraction)[:, None]
        results['keypoint'] = keypoint + noise * known_joints(results)[..., None]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(deviation={self.deviation}, fraction={self.fraction}, '
            f'clip_deviation={self.clip_deviation})'
        )


@TRANSFORMS.register_module()
class JointMask(BaseTransform):
    """Set some joints to zero for the whole clip.

    Zero lies in the body's middle only in normalized clips; normalize first. Bones that end at a
    masked joint mean nothing: put BonesAndMotion before this.

    Required keys: ``keypoint`` float32 [M, T, V, C]. Modified keys: ``keypoint``.

    Args:
        fraction: Smallest and largest share of the joints that are masked, 0 <= smallest <=
            largest < 1; the share is uniform between them, the number of joints rounded down.

    Raises:
        ConfigError: The shares are none.

    Source: the joint corruption of Thoker et al. 2021; the shares are our choice.
    """

    def __init__(self, fraction: Sequence[float] = (0.0, 0.3)) -> None:
        smallest, largest = fraction
        if not 0 <= smallest <= largest < 1:
            raise ConfigError(
                f'JointMask: fraction is {tuple(fraction)}, must be 0 <= smallest <= largest < 1'
            )
        self.fraction = (smallest, largest)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Mask one sample."""
        keypoint = results['keypoint']
        masked = _drawn_joints(keypoint.shape[2], np.random.uniform(*self.fraction))
        results['keypoint'] = np.where(masked[:, None], np.float32(0), keypoint)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(fraction={self.fraction})'


def _drawn_joints(joints: int, fraction: float) -> np.ndarray:
    """bool [V]: a share of the joints, rounded down, drawn without replacement."""
    # The small term keeps 0.3 of 10 joints at 3, whatever the last bit of the product.
    return np.random.permutation(joints) < int(joints * fraction + 1e-9)


def _coordinates(results: dict[str, Any], transform: BaseTransform) -> int:
    """The number of coordinates, which must be places in a plane or in space."""
    coordinates = results['keypoint'].shape[-1]
    if coordinates not in (2, 3):
        raise ConfigError(
            f'{type(transform).__name__}: the clip has {coordinates} values a joint, not 2 or 3 '
            'coordinates: put it before BonesAndMotion'
        )
    return coordinates
