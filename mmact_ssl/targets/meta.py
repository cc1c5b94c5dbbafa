"""Meta data of a target cache: kind, teacher and storage, and the check that they are current."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.errors import ConfigError, DataError, reason_of
from mmact_ssl.io.files import sha256_of, shown
from mmact_ssl.io.schema import conform, parse_json

# Formats of caches with all frames and with every N-th frame; since format 3 with the last one too.
FORMAT, FORMAT_OF_SOME_FRAMES = 2, 3
DTYPE = 'float32'  # of all values; earlier caches may have another
# Axes of the values of each kind, which are float32.
AXES = {'pose': '[F, V, 3]', 'embedding': '[F, D]', 'map': '[F, C, h, w]', 'text': '[S, D]'}
_LAYOUTS: Mapping[str, Mapping[str, Any]] = {'pose': LAYOUTS, 'map': PART_LAYOUTS}
_MAX_META_BYTES = 1 << 16
Frames = Annotated[int, range(1, 1 << 12)]


class TargetCacheError(DataError):
    """A target cache is missing, damaged, stale, or lacks a video."""


@dataclass(frozen=True)
class TargetMeta:
    """Content and origin of a cache.

    Args:
        kind: Kind of the arrays, for the F frames of a video: 'pose' (F, V, 3) (x, y as fractions
            of the frame, score 0..1); 'embedding' (F, D); 'map' (F, C, h, w) (probability of each
            part, 0..1, over the whole frame); or 'text' (S, D) for S sentences about a video or a
            class.
        layout: Name of the skeleton layout (kind 'pose') or of the part layout (kind 'map'), else
            ''.
        fingerprint: Hash of the teacher's config and weights, or of the imported file.
        source: Description for people: teacher class and files, or the imported file.
        window: (num_frames, stride) of a teacher that reads clips: entry t belongs to the frames t,
            t + stride, ..., indices clamped to the last frame. None: entry t belongs to frame t.
        every: The teacher saw one of so many frames, see :func:`mmact_ssl.targets.values.spread`.
            The reader interpolates the other frames (poses) or takes the nearest one.
    """

    kind: str
    layout: str
    fingerprint: str
    source: str = ''
    window: tuple[Frames, Frames] | None = None
    every: Frames = 1

    @property
    def identity(self) -> str:
        """Hash of all that decides the values: ``fingerprint``, and ``every`` unless it is 1."""
        if self.every == 1:
            return self.fingerprint
        return sha256_of(f'{self.fingerprint} {self.every} {FORMAT_OF_SOME_FRAMES}')

    def check(self) -> None:
        """Raise ConfigError if the kind is unknown or the layout does not fit it."""
        if self.kind not in AXES:
            raise ConfigError(f'a target of kind {self.kind!r} cannot be stored, only {list(AXES)}')
        known = _LAYOUTS.get(self.kind)
        if known is not None and self.layout not in known:
            raise ConfigError(
                f'layout {self.layout!r} of a {self.kind} is unknown; known are {list(known)}'
            )

    def encode(self) -> bytes:
        """Write as JSON with a checksum."""
        fields = {**asdict(self), 'dtype': DTYPE, 'format': _format(self.every)}
        return json.dumps({**fields, 'crc32': _checksum(fields)}, sort_keys=True).encode()

    def checked(self, key: str, array: np.ndarray) -> np.ndarray:
        """Return an array of this kind as float32.

        Raises:
            ValueError: The shape does not fit the kind, or values are not finite or out of range.
        """
        array = np.ascontiguousarray(array, dtype=np.float32)
        axes = AXES[self.kind]
        fits = array.ndim == axes.count(',') + 1 and (self.kind != 'pose' or array.shape[2] == 3)
        if not fits or not array.size:
            raise ValueError(
                f'{key}: a target of kind {self.kind!r} is {axes}, got {list(array.shape)}'
            )
        layout = _LAYOUTS.get(self.kind, {}).get(self.layout)
        if layout is not None and array.shape[1] != len(layout.names):
            raise ValueError(
                f'{key}: {array.shape[1]} joints or parts, {self.layout!r} has {len(layout.names)}'
            )
        if not np.isfinite(array).all():
            hint = '; mark unknown joints by score 0' if self.kind == 'pose' else ''
            raise ValueError(f'{key}: a target must be finite{hint}')
        if self.kind in ('pose', 'map'):
            values = array[..., 2] if self.kind == 'pose' else array
            if values.min() < 0 or values.max() > 1:
                what = 'scores of joints' if self.kind == 'pose' else 'probabilities of parts'
                raise ValueError(
                    f'{key}: {what} lie in 0..1, got {values.min():g}..{values.max():g}'
                )
        return array


def check_unit(key: str, pose: np.ndarray) -> None:
    """Raise ValueError for the poses of a video in pixels, ``(F, V, 3)``."""
    score = pose[..., 2]
    if score.any() and np.median(np.abs(pose[score > 0][:, :2])) > 5:
        raise ValueError(
            f'{key}: x and y of a joint are fractions of the frame: divide pixels by its width and '
            'height'
        )


def parse_meta(path: str | os.PathLike[str], value: bytes | memoryview | None) -> TargetMeta:
    """Read the meta data of the cache at ``path``.

    Raises:
        TargetCacheError: They are absent, damaged, or of another format.
    """
    try:
        # A damaged size must not cause a read beyond the file.
        fields = parse_json(bytes(value[:_MAX_META_BYTES]) if value else '')
        if fields.pop('crc32') != _checksum(fields):
            raise ValueError('wrong checksum')
        stored, dtype = fields.pop('format'), fields.pop('dtype')
        fields.pop('precision', None)  # of earlier versions
        meta = conform(fields, TargetMeta, 'they')
        if (stored, dtype) != (_format(meta.every), DTYPE):
            raise ValueError(f'of format {shown(stored)}, stored as {shown(dtype)}')
        meta.check()
        return meta
    except (ValueError, KeyError, RecursionError, ConfigError) as error:
        raise TargetCacheError(
            f'the meta data of target cache {path} are absent or damaged ({reason_of(error)}): '
            'make it again with --overwrite'
        ) from error


def _format(every: int) -> int:
    return FORMAT if every == 1 else FORMAT_OF_SOME_FRAMES


def check_meta(path: str | os.PathLike[str], meta: TargetMeta, expected: TargetMeta) -> None:
    """Raise TargetCacheError if the cache at ``path`` is stale: only ``source`` may differ."""
    for field in ('fingerprint', 'layout', 'kind', 'window', 'every'):
        old, new = getattr(meta, field), getattr(expected, field)
        if old != new:
            raise TargetCacheError(
                f'target cache {path} is stale: its {field} is {str(old)[:12]}, wanted '
                f'{str(new)[:12]}. Repeat the command with the options that made it, name another '
                '--out, or make it again with --overwrite'
            )


def _checksum(fields: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
