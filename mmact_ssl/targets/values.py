"""One value of a target cache: an array in chunks of frames, each with a checksum.

    checksum of key and header (4 bytes) | sizes of header and index (2 x 4) |
    header: JSON of dtype, shape, frames per chunk and hash of the source |
    index: size and checksum of each chunk (2 x 4 bytes each) | chunks

An array may have the frames of :func:`spread` alone, which stand for all. Some frames of a long
video are read without touching the others. The checksum covers the key, so
that a value which damage puts under another key is detected. Numbers are little-endian; a chunk is
compressed with zlib where that makes it shorter by a tenth. A frame of int8 is its scale, float32,
and then its values.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Union

import numpy as np

Buffer = Union[bytes, memoryview]

# Frames are gathered to chunks of about this size; a frame of part maps is larger and has a chunk
# of its own. Reading 16 of 100 frames of 20 maps took 5 to 41 ms, in one chunk 50 to 190 ms.
CHUNK_BYTES = 1 << 16
WORTHWHILE = 0.9  # of the raw size; what gains less costs more time than it saves
_HEAD = struct.Struct('<III')
_DTYPES = {'float32': '<f4', 'float16': '<f2', 'uint8': '|u1', 'int8': '|i1'}


def _frame_dtype(dtype: str, shape: Sequence[int]) -> np.dtype:
    """Type of the stored values of one frame."""
    values = (_DTYPES[dtype], tuple(shape))
    return np.dtype([('scale', '<f4'), ('values', *values)] if dtype == 'int8' else values)


def to_storage(array: np.ndarray, dtype: str) -> np.ndarray:
    """Round float32 values to their storage type.

    'uint8' holds 0..1 in steps of 1/255. 'int8' holds rows (F, D) in steps of 1/127 of a row's
    largest magnitude; the result has the fields ``scale``, this magnitude, and ``values`` (D,).
    """
    if dtype == 'uint8':
        return np.round(array * 255).astype(np.uint8)
    if dtype == 'int8':
        stored = np.empty(len(array), _frame_dtype(dtype, array.shape[1:]))
        stored['scale'] = scale = np.abs(array).max(axis=1)
        stored['values'] = np.round(array / np.where(scale, scale, 1)[:, None] * 127)
        return stored
    return np.ascontiguousarray(array, dtype=_DTYPES[dtype])


def from_storage(array: np.ndarray) -> np.ndarray:
    """Undo :func:`to_storage` except for the rounding; gives float32."""
    if array.dtype.names is not None:
        # The quotient first: it is at most 1, so that the largest finite scale does not overflow.
        return array['values'] / np.float32(127) * array['scale'][:, None]
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    return array.astype(np.float32, copy=False)


def spread(total: int, every: int) -> np.ndarray:
    """Frames that stand for ``total``, int64: the first, the last, and between them as few as leave
    at most ``every`` from one to the next."""
    return _evenly(total, -(-(total - 1) // every) + 1)


def _evenly(total: int, count: int) -> np.ndarray:
    return np.arange(count) * (total - 1) // max(count - 1, 1)


def pack(key: bytes, array: np.ndarray, source_hash: str = '', total: int | None = None) -> bytes:
    """Serialize an array that :func:`to_storage` has rounded, first axis = frames.

    ``total`` is the number of frames that they stand for (None: themselves).
    """
    step = max(1, CHUNK_BYTES // max(array[0].nbytes, 1))
    scaled = array.dtype.names is not None
    # Rows of int8 repeat values, not sequences: without a search for these they are 15 % smaller.
    strategy = zlib.Z_HUFFMAN_ONLY if scaled else zlib.Z_DEFAULT_STRATEGY
    chunks = []
    for start in range(0, len(array), step):
        raw = array[start : start + step].tobytes()
        packer = zlib.compressobj(1, strategy=strategy)
        small = packer.compress(raw) + packer.flush()
        chunks.append(small if len(small) < WORTHWHILE * len(raw) else raw)
    values = array['values'] if scaled else array
    fields = {'dtype': values.dtype.name, 'shape': values.shape, 'step': step}
    if total not in (None, len(array)):
        fields['total'] = total
    header = json.dumps({**fields, 'source_hash': source_hash}).encode()
    index = np.array([(len(chunk), zlib.crc32(chunk)) for chunk in chunks], '<u4').tobytes()
    sizes = struct.pack('<II', len(header), len(index))
    checksum = zlib.crc32(key + sizes + header + index)
    return b''.join([checksum.to_bytes(4, 'little'), sizes, header, index, *chunks])


def unpack(
    key: bytes,
    value: Buffer,
    frames: Sequence[int] | np.ndarray | None = None,
    poses: bool = False,
) -> np.ndarray:
    """Undo :func:`pack`: float32 (len(frames), ...), a fresh array.

    A frame that is not there has the value of the nearest one that is, of two the earlier. A pose
    (..., 3) lies on the straight line between its two neighbors, with the smaller score of them.

    Args:
        frames: Indices along the first axis, in any order, repeated or not. None: all.
        poses: The values are poses.

    Raises:
        IndexError: A frame is not there.
        ValueError: The value is damaged.
    """
    header = Header(key, value)
    total = header.shape[0]
    wanted = np.arange(total) if frames is None else np.asarray(frames, np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < total:
        raise IndexError(f'frames {wanted.min()} to {wanted.max()} of {total}')
    if header.entries == total:
        return _entries(header, value, wanted)
    there = _evenly(total, header.entries)
    after = np.searchsorted(there, wanted)
    before = np.maximum(after - (there[after] > wanted), 0)
    # 0 at the neighbor before, 1 at that after.
    gap = np.maximum(there[after] - there[before], 1)
    weight = ((wanted - there[before]) / gap).astype(np.float32)
    if not poses:
        return _entries(header, value, np.where(weight <= 0.5, before, after))
    first, second = (_entries(header, value, entries) for entries in (before, after))
    out = first + weight[:, None, None] * (second - first)
    out[..., 2] = np.minimum(first[..., 2], second[..., 2])
    return out


def _entries(header: Header, value: Buffer, wanted: np.ndarray) -> np.ndarray:
    """Read entries of a value as they are stored."""
    out = np.empty((len(wanted), *header.shape[1:]), np.float32)
    for number in np.unique(wanted // header.step).tolist():
        chunk = from_storage(header.chunk(value, number))
        here = wanted // header.step == number
        out[here] = chunk[wanted[here] - number * header.step]
    return out


class Header:
    """Header of a value, which precedes its chunks, checked; ValueError if it is damaged.

    Attributes:
        shape: Shape of the array, with all frames that it stands for.
        entries: Frames that are there.
        step: Entries in a chunk.
        source_hash: Hash of what the value was made of, '' if not recorded.
    """

    def __init__(self, key: bytes, value: Buffer) -> None:
        if len(value) < _HEAD.size:
            raise ValueError('too short')
        checksum, header_bytes, index_bytes = _HEAD.unpack(bytes(value[: _HEAD.size]))
        start = _HEAD.size + header_bytes + index_bytes
        if start > len(value):  # a damaged length must not make us read beyond the file
            raise ValueError('too short')
        head = bytes(value[4:start])
        if zlib.crc32(head, zlib.crc32(key)) != checksum:
            raise ValueError('wrong checksum')
        fields = json.loads(head[8 : 8 + header_bytes])
        self.entries, *rest = fields['shape']
        self.shape: tuple[int, ...] = (fields.get('total', self.entries), *rest)
        self.step: int = fields['step']
        self.source_hash: str = fields.get('source_hash', '')
        self._frame_dtype = _frame_dtype(fields['dtype'], rest)
        self._index = np.frombuffer(head[8 + header_bytes :], '<u4').reshape(-1, 2)
        self._ends = start + np.cumsum(self._index[:, 0], dtype=np.int64)
        if self._ends[-1] != len(value):
            raise ValueError(f'{len(value)} bytes instead of {self._ends[-1]}')

    def chunk(self, value: Buffer, number: int) -> np.ndarray:
        """Frames number * step, ... in their storage type."""
        size, checksum = (int(entry) for entry in self._index[number])
        stored = bytes(value[int(self._ends[number]) - size : int(self._ends[number])])
        if zlib.crc32(stored) != checksum:
            raise ValueError('wrong checksum')
        entries = min(self.step, self.entries - number * self.step)
        raw_bytes = entries * self._frame_dtype.itemsize
        if size != raw_bytes:
            # Never more than the header announces, whatever a foreign file holds.
            stored = zlib.decompressobj().decompress(stored, raw_bytes)
        return np.frombuffer(stored, self._frame_dtype, entries)
