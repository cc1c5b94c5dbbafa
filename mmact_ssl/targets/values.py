"""One value of a target cache: an array in chunks of frames, each with a checksum.

    checksum of key and header (4 bytes) | sizes of header and index (2 x 4) |
    header: JSON of dtype, shape and frames per chunk |
    index: size and checksum of each chunk (2 x 4 bytes each) | chunks

Some frames of a long video are read without touching the others. The checksum covers the key, so
that a value which damage puts under another key is not taken for that one's. Numbers are
little-endian; a chunk is compressed with zlib where that makes it shorter by a tenth.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Union

import numpy as np

Buffer = Union[bytes, memoryview]

# Frames are gathered to chunks of about this size. A frame of part maps is larger and has a chunk
# of its own: reading 16 of 100 frames of 20 maps took 5 to 41 ms, in one chunk 50 to 190 ms, and
# compression gained nothing from seeing several frames. A whole video of poses is one chunk.
CHUNK_BYTES = 1 << 16
WORTHWHILE = 0.9  # of the raw size; what gains less costs more time than it saves
_HEAD = struct.Struct('<III')
_DTYPES = {'float32': '<f4', 'float16': '<f2', 'uint8': '|u1'}


def to_storage(array: np.ndarray, dtype: str) -> np.ndarray:
    """Round values to how they are stored; 'uint8' holds 0..1 in steps of 1/255."""
    if dtype == 'uint8':
        return np.round(np.asarray(array, np.float32) * 255).astype(np.uint8)
    return np.ascontiguousarray(array, dtype=_DTYPES[dtype])


def from_storage(array: np.ndarray) -> np.ndarray:
    """Undo :func:`to_storage` but for the rounding; gives float32."""
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    return array.astype(np.float32, copy=False)


def pack(key: bytes, array: np.ndarray) -> bytes:
    """Serialize an array that :func:`to_storage` has rounded, first axis = frames."""
    dtype = {np.dtype(code): name for name, code in _DTYPES.items()}[array.dtype]
    step = max(1, CHUNK_BYTES // max(array[0].nbytes, 1))
    chunks = []
    for start in range(0, len(array), step):
        raw = array[start : start + step].tobytes()
        small = zlib.compress(raw, 1)
        chunks.append(small if len(small) < WORTHWHILE * len(raw) else raw)
    header = json.dumps({'dtype': dtype, 'shape': array.shape, 'step': step}).encode()
    index = np.array([(len(chunk), zlib.crc32(chunk)) for chunk in chunks], '<u4').tobytes()
    sizes = struct.pack('<II', len(header), len(index))
    checksum = zlib.crc32(key + sizes + header + index)
    return b''.join([checksum.to_bytes(4, 'little'), sizes, header, index, *chunks])


def read_shape(key: bytes, value: Buffer) -> tuple[int, ...]:
    """Shape of the array in a value, without reading its chunks.

    Raises:
        ValueError: The value is damaged.
    """
    return _Header(key, value).shape


def read_raw(key: bytes, value: Buffer) -> bytes:
    """Copy a value as it is, its chunks unchecked.

    Raises:
        ValueError: The value is damaged.
    """
    _Header(key, value)  # a damaged length must not make us read beyond the file
    return bytes(value)


def unpack(
    key: bytes, value: Buffer, frames: Sequence[int] | np.ndarray | None = None
) -> np.ndarray:
    """Undo :func:`pack`.

    Args:
        key: Key of the value.
        value: Bytes, or a view of them that stays valid during the call.
        frames: Indices along the first axis, in any order, repeated or not. None: all.

    Returns:
        float32 [len(frames), ...], a fresh array.

    Raises:
        IndexError: A frame is not there.
        ValueError: The value is damaged.
    """
    header = _Header(key, value)
    total, step = header.shape[0], header.step
    wanted = np.arange(total) if frames is None else np.asarray(frames, np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < total:
        raise IndexError(f'frames {wanted.min()} to {wanted.max()} of {total}')
    out = np.empty((len(wanted), *header.shape[1:]), np.float32)
    for number in np.unique(wanted // step).tolist():
        chunk = from_storage(header.chunk(value, number))
        here = wanted // step == number
        out[here] = chunk[wanted[here] - number * step]
    return out


class _Header:
    """What precedes the chunks, checked."""

    def __init__(self, key: bytes, value: Buffer) -> None:
        if len(value) < _HEAD.size:
            raise ValueError('too short')
        checksum, header_bytes, index_bytes = _HEAD.unpack(bytes(value[: _HEAD.size]))
        self.start = _HEAD.size + header_bytes + index_bytes
        if self.start > len(value):
            raise ValueError('too short')
        head = bytes(value[4 : self.start])
        if zlib.crc32(head, zlib.crc32(key)) != checksum:
            raise ValueError('wrong checksum')
        fields = json.loads(head[8 : 8 + header_bytes])
        self.dtype = np.dtype(_DTYPES[fields['dtype']])
        self.shape: tuple[int, ...] = tuple(fields['shape'])
        self.step: int = fields['step']
        self.index = np.frombuffer(head[8 + header_bytes :], '<u4').reshape(-1, 2)
        self.ends = self.start + np.cumsum(self.index[:, 0], dtype=np.int64)
        if self.ends[-1] != len(value):
            raise ValueError(f'{len(value)} bytes instead of {self.ends[-1]}')

    def chunk(self, value: Buffer, number: int) -> np.ndarray:
        """Frames number * step, ... as stored."""
        size, checksum = (int(entry) for entry in self.index[number])
        stored = bytes(value[int(self.ends[number]) - size : int(self.ends[number])])
        if zlib.crc32(stored) != checksum:
            raise ValueError('wrong checksum')
        frames = min(self.step, self.shape[0] - number * self.step)
        shape = (frames, *self.shape[1:])
        raw_bytes = math.prod(shape) * self.dtype.itemsize
        if size != raw_bytes:
            # Never more than the header announces, whatever a foreign file holds.
            stored = zlib.decompressobj().decompress(stored, raw_bytes)
        return np.frombuffer(stored, self.dtype).reshape(shape)


def pack_format_1(array: np.ndarray) -> bytes:
    """Serialize as caches of format 1 do: a CRC-32 (4 bytes) and a ``.npy`` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    data = buffer.getvalue()
    return zlib.crc32(data).to_bytes(4, 'little') + data


def unpack_format_1(value: Buffer) -> np.ndarray:
    """Undo :func:`pack_format_1`.

    Raises:
        ValueError: The value is damaged.
    """
    data = bytes(value[4:])
    if zlib.crc32(data) != int.from_bytes(bytes(value[:4]), 'little'):
        raise ValueError('wrong checksum')
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
