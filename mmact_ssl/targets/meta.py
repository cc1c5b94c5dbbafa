"""What a target cache says of itself: kinds of targets, meta data, and when a cache is stale."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmact_ssl.datasets.part_layouts import PART_LAYOUTS
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.targets.values import to_storage

FORMAT = 2
READABLE_FORMATS = (1, 2)
KINDS = ('pose', 'embedding', 'map', 'text')
# How the values of each kind may be stored; float32 keeps every bit.
STORAGE = {
    'pose': ('float32',),
    'embedding': ('float32', 'float16'),
    'map': ('float32', 'float16', 'uint8'),
    'text': ('float32', 'float16'),
}
_AXES = {'pose': '[F, V, 3]', 'embedding': '[F, D]', 'map': '[F, C, h, w]', 'text': '[S, D]'}


class TargetCacheError(DataError):
    """A target cache is missing, damaged, stale, or lacks a video."""


@dataclass(frozen=True)
class TargetMeta:
    """What a cache holds and where it came from.

    Args:
        kind: Of the arrays, F frames of a video: 'pose' [F, V, 3] (x, y as fractions of the frame,
            score 0..1); 'embedding' [F, D]; 'map' [F, C, h, w] (probability of each part, 0..1,
            over the whole frame); 'text' [S, D], S sentences about a video or a class.
        layout: Name of the skeleton layout (kind 'pose') or of the part layout (kind 'map'; ''
            for maps without left and right), else ''.
        fingerprint: Hash of the teacher's config and weights, or of the imported file.
        source: One line for people: teacher class and files, or the imported file.
        window: (num_frames, stride) of a teacher that reads clips: entry t is what it says of the
            frames t, t + stride, ..., indices clamped to the last frame. None: it reads frame t.
        precision: That the teacher computed in.
        dtype: That the values are stored in: 'float32', 'float16', or 'uint8' (maps, in steps of
            1/255).
        format: Version of the cache's own format.
    """

    kind: str
    layout: str
    fingerprint: str
    source: str = ''
    window: tuple[int, int] | None = None
    precision: str = 'float32'
    dtype: str = 'float32'
    format: int = FORMAT

    def check(self) -> None:
        """Raise ConfigError if no cache can hold this."""
        if self.kind not in KINDS:
            raise ConfigError(f'target kind {self.kind!r} is unknown; known are {", ".join(KINDS)}')
        if self.dtype not in STORAGE[self.kind]:
            raise ConfigError(
                f'a target of kind {self.kind!r} cannot be stored as {self.dtype!r}, only as '
                f'{" or ".join(STORAGE[self.kind])}'
            )
        if self.kind == 'map' and self.layout and self.layout not in PART_LAYOUTS:
            raise ConfigError(
                f'part layout {self.layout!r} is unknown; known are {", ".join(PART_LAYOUTS)}, '
                "or '' for maps without left and right"
            )

    def encode(self) -> bytes:
        """Write as JSON that ends in a checksum of the rest."""
        fields = asdict(self)
        return json.dumps({**fields, 'crc32': _checksum(fields)}, sort_keys=True).encode()

    def checked(self, key: str, array: np.ndarray) -> np.ndarray:
        """Return an array of this kind as float32.

        Raises:
            ValueError: It has not the shape of the kind, is not finite, or leaves its range.
        """
        array = np.ascontiguousarray(array, dtype=np.float32)
        shape = array.shape
        fits = {
            'pose': len(shape) == 3 and shape[2:] == (3,),
            'embedding': len(shape) == 2,
            'map': len(shape) == 4,
            'text': len(shape) == 2,
        }[self.kind]
        if not fits or not array.size:
            raise ValueError(
                f'{key}: a target of kind {self.kind!r} is {_AXES[self.kind]}, got {list(shape)}'
            )
        if self.kind == 'map' and self.layout:
            parts = PART_LAYOUTS[self.layout].num_parts
            if shape[1] != parts:
                raise ValueError(f'{key}: maps of {shape[1]} parts, {self.layout!r} has {parts}')
        # Half precision turns what is above its range to infinity.
        limit = np.finfo(np.float16).max if self.dtype == 'float16' else np.inf
        if not (np.abs(array) < limit).all():
            hint = '; mark unknown joints by score 0' if self.kind == 'pose' else ''
            raise ValueError(f'{key}: a target must be finite in {self.dtype}{hint}')
        if self.kind == 'map' and (array.min() < 0 or array.max() > 1):
            raise ValueError(
                f'{key}: maps are probabilities, 0..1, got {array.min():g}..{array.max():g}'
            )
        return array

    def stored(self, key: str, array: np.ndarray) -> np.ndarray:
        """Return an array of this kind as it is stored (see :meth:`checked`)."""
        return to_storage(self.checked(key, array), self.dtype)


def parse_meta(path: str | os.PathLike[str], value: bytes | None) -> TargetMeta:
    """Read the meta data of the cache at ``path``.

    Raises:
        TargetCacheError: They are absent, damaged, or of a format that is not read here.
    """
    try:
        fields: dict[str, Any] = {} if value is None else json.loads(value)
        found = f'format {fields["format"]}' if 'format' in fields else 'no meta data'
        if fields.get('format') in READABLE_FORMATS:
            if fields['format'] > 1 and fields.pop('crc32') != _checksum(fields):
                raise ValueError('wrong checksum')
            window = fields.get('window')
            return TargetMeta(**{**fields, 'window': window and (window[0], window[1])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TargetCacheError(
            f'the meta data of target cache {path} are damaged ({error}): make it again with '
            '--overwrite'
        ) from error
    raise TargetCacheError(
        f'target cache {path} has {found}, this version reads format '
        f'{" and ".join(map(str, READABLE_FORMATS))}: make it again with --overwrite'
    )


def check_meta(path: str | os.PathLike[str], found: TargetMeta, wanted: TargetMeta) -> None:
    """Compare all that decides the values; the source is for people.

    Raises:
        TargetCacheError: The cache at ``path`` is stale.
    """
    for name, label in (
        ('fingerprint', 'teacher'),
        ('layout', 'layout'),
        ('kind', 'kind'),
        ('window', 'window of frames'),
        ('precision', 'precision'),
        ('dtype', 'storage'),
    ):
        old, new = getattr(found, name), getattr(wanted, name)
        if old != new:
            raise stale(path, label, old, new)


def stale(path: str | os.PathLike[str], what: str, found: Any, wanted: Any) -> TargetCacheError:
    """Say that a cache is of another teacher or form."""
    return TargetCacheError(
        f'target cache {path} is stale: its {what} is {str(found)[:12]}, wanted '
        f'{str(wanted)[:12]}. Make it again with '
        '`python tools/extract_targets.py ... --overwrite`, or name another --out'
    )


def _checksum(fields: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
