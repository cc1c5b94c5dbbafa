"""Value of a target cache: an array in chunks of frames, each with a checksum.

    checksum of key and header (4 bytes) | sizes of header and index (2 x 4) |
    header: JSON of shape, frames per chunk and hash of the source |
    index: size and checksum of each chunk (2 x 4 bytes each) | chunks

Values are float32. An array may contain only the frames of :func:`spread`, which represent all.
Some frames of a long video can be read without the others. The checksum covers the key, so that a
value that damage moves to another key is detected. Numbers are little-endian. A chunk is compressed
with zlib if that makes it shorter by a tenth.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from mmact_ssl.io.schema import parse_json

Buffer = bytes | memoryview

# Approximate size of a chunk of frames. A frame of part maps is larger and is a chunk by itself:
# reading 16 of 100 frames of 20 maps took 5 to 41 ms, in a single chunk 50 to 190 ms.
CHUNK_BYTES = 1 << 16
WORTHWHILE = 0.9  # of the raw size; a smaller gain costs more time than it saves
DEFLATED = 1100  # times its size zlib makes of a byte, at most
Size = Annotated[int, range(1, 1 << 22)]
_HEAD = struct.Struct('<III')
_DTYPE = np.dtype('<f4')


def spread(total: int, every: int) -> np.ndarray:
    """Fewest even frames from the first to the last at distances of at most ``every``, int64."""
    return _evenly(total, -(-(total - 1) // every) + 1)


def _evenly(total: int, count: int) -> np.ndarray:
    return np.arange(count) * (total - 1) // max(count - 1, 1)


def pack(key: bytes, array: np.ndarray, source_hash: str = '', total: int | None = None) -> bytes:
    """Serialize a float32 array, first axis = frames.

    ``total`` is the number of frames of the video if the array contains those of :func:`spread`.
    """
    array = np.ascontiguousarray(array, _DTYPE)
    step = max(1, CHUNK_BYTES // max(array[0].nbytes, 1))
    chunks = []
    for start in range(0, len(array), step):
        raw = array[start : start + step].tobytes()
        small = zlib.compress(raw, 1)
        chunks.append(small if len(small) < WORTHWHILE * len(raw) else raw)
    fields = {'shape': array.shape, 'step': step}
    if total not in (None, len(array)):
        fields['total'] = total
    header = json.dumps({**fields, 'source_hash': source_hash}).encode()
    index = np.array([(len(chunk), zlib.crc32(chunk)) for chunk in chunks], '<u4').tobytes()
    sizes = struct.pack('<II', len(header), len(index))
    checksum = zlib.crc32(key + sizes + header + index)
    return b''.join([checksum.to_bytes(4, 'little'), sizes, header, index, *chunks])


def unpack(
    key: bytes, value: Buffer, frames: Sequence[int] | np.ndarray | None = None, poses: bool = False
) -> np.ndarray:
    """Read frames of a value of :func:`pack`: float32 (len(frames), ...), a new array.

    A frame that is not stored gets the value of the nearest stored one, or of the earlier of two.
    A pose (..., 3) is interpolated between its two neighbors, with the smaller of their scores.

    Args:
        frames: Indices along the first axis, in any order, also repeated. None: all.

    Raises:
        IndexError: A frame is out of range.
        ValueError: The value is damaged.
    """
    header = Header(key, value)
    total = header.shape[0]
    if poses and header.shape[2:] != (3,):
        raise ValueError(f'poses of shape {header.shape}')
    indices = np.arange(total) if frames is None else np.asarray(frames, np.int64)
    if indices.size and not 0 <= indices.min() <= indices.max() < total:
        raise IndexError(f'frames {indices.min()} to {indices.max()} of {total}')
    if header.entries == total:
        return _entries(header, value, indices)
    stored = _evenly(total, header.entries)
    after = np.searchsorted(stored, indices)
    before = np.maximum(after - (stored[after] > indices), 0)
    # 0 at the neighbor before, 1 at the neighbor after.
    gap = np.maximum(stored[after] - stored[before], 1)
    weight = ((indices - stored[before]) / gap).astype(np.float32)
    if not poses:
        return _entries(header, value, np.where(weight <= 0.5, before, after))
    first, second = (_entries(header, value, entries) for entries in (before, after))
    out = first + weight[:, None, None] * (second - first)
    out[..., 2] = np.minimum(first[..., 2], second[..., 2])
    return out


def _entries(header: Header, value: Buffer, indices: np.ndarray) -> np.ndarray:
    """Read stored entries of a value."""
    out = np.empty((len(indices), *header.shape[1:]), np.float32)
    for number in np.unique(indices // header.step).tolist():
        chunk = header.chunk(value, number)
        in_chunk = indices // header.step == number
        out[in_chunk] = chunk[indices[in_chunk] - number * header.step]
    return out


def is_current(stored: str | None, source_hash: str) -> bool:
    """True if an entry is of this source, as far as is known.

    Args:
        stored: Hash in the entry; '' in an imported one, in one of an earlier version and of a
            video on a server. None without an entry.
        source_hash: Hash of the source as it is now; '' if it is not known.
    """
    return stored is not None and (stored == source_hash or '' in (stored, source_hash))


@dataclass(frozen=True)
class _Fields:
    """JSON of a header; ``shape`` is that of the stored array, and ``total`` all its frames."""

    shape: list[Size]
    step: Size
    source_hash: str = ''
    total: Size | None = None


class Header:
    """Header of a value, which precedes its chunks; ValueError if it is damaged.

    Attributes:
        shape: Shape of the array with all frames of the video.
        entries: Number of stored frames.
        step: Entries in a chunk.
        source_hash: Hash of the value's source, '' if not recorded.
    """

    def __init__(self, key: bytes, value: Buffer) -> None:
        if len(value) < _HEAD.size:
            raise ValueError('too short')
        checksum, header_bytes, index_bytes = _HEAD.unpack(bytes(value[: _HEAD.size]))
        start = _HEAD.size + header_bytes + index_bytes
        if start > len(value):  # a damaged length must not cause a read beyond the file
            raise ValueError('too short')
        head = bytes(value[4:start])
        if zlib.crc32(head, zlib.crc32(key)) != checksum:
            raise ValueError('wrong checksum')
        fields = parse_json(head[8 : 8 + header_bytes], _Fields)
        self.entries, *rest = fields.shape
        self.shape: tuple[int, ...] = (fields.total or self.entries, *rest)
        self.step, self.source_hash = fields.step, fields.source_hash
        self._index = np.frombuffer(head[8 + header_bytes :], '<u4').reshape(-1, 2)
        self._ends = start + np.cumsum(self._index[:, 0], dtype=np.int64)
        if self.entries > self.shape[0] or len(self._index) != -(-self.entries // self.step):
            raise ValueError(f'{self.entries} entries in {len(self._index)} chunks')
        if self._ends[-1] != len(value):
            raise ValueError(f'{len(value)} bytes instead of {self._ends[-1]}')
        if math.prod(fields.shape) * _DTYPE.itemsize > DEFLATED * len(value):
            raise ValueError(f'{len(value)} bytes for an array of {fields.shape}')

    def chunk(self, value: Buffer, number: int) -> np.ndarray:
        """Entries of a chunk, from number * step on."""
        size, checksum = (int(entry) for entry in self._index[number])
        stored = bytes(value[int(self._ends[number]) - size : int(self._ends[number])])
        if zlib.crc32(stored) != checksum:
            raise ValueError('wrong checksum')
        entries = min(self.step, self.entries - number * self.step)
        shape = (entries, *self.shape[1:])
        raw_bytes = math.prod(shape) * _DTYPE.itemsize
        if size != raw_bytes:
            # A forged file must not expand to more than its header announces.
            stored = zlib.decompressobj().decompress(stored, raw_bytes)
        return np.frombuffer(stored, _DTYPE, math.prod(shape)).reshape(shape)
