"""Serialized arrays: some frames of many, and no damage that goes unnoticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mmact_ssl.targets.values import (
    CHUNK_BYTES,
    Header,
    from_storage,
    pack,
    spread,
    to_storage,
    unpack,
)

ARRAY = np.random.default_rng(0).random((5, 3), np.float32)
STORED = [to_storage(ARRAY, dtype) for dtype in ('float32', 'int8')]


@pytest.mark.parametrize('frame_bytes', [12, CHUNK_BYTES // 2, CHUNK_BYTES, 2 * CHUNK_BYTES])
def test_chunks_have_as_many_frames_as_fit(frame_bytes):
    array = np.random.default_rng(0).random((5, frame_bytes // 4), np.float32)
    value = pack(b'a', array)
    assert Header(b'a', value).step == max(1, CHUNK_BYTES // frame_bytes)
    np.testing.assert_array_equal(unpack(b'a', value, [3, 0, 3]), array[[3, 0, 3]])


def test_what_compresses_is_compressed_and_noise_is_not():
    """A value of zeros takes little more than its header."""
    noise, zeros = (np.full((50, 100), 0, np.float32) for _ in range(2))
    noise[:] = np.random.default_rng(0).normal(size=noise.shape)
    assert len(pack(b'a', zeros)) < 400 < noise.nbytes < len(pack(b'a', noise))
    for array in (noise, zeros):
        np.testing.assert_array_equal(unpack(b'a', pack(b'a', array)), array)


@pytest.mark.parametrize('array', STORED, ids=['float32', 'int8'])
def test_a_value_cut_anywhere_is_damaged(array):
    value = pack(b'a', array, 'hash')
    for length in range(len(value)):
        with pytest.raises(ValueError, match='too short|checksum|bytes instead of'):
            unpack(b'a', value[:length])


@pytest.mark.parametrize('array', STORED, ids=['float32', 'int8'])
def test_a_value_changed_anywhere_or_of_another_key_is_damaged(array):
    value = pack(b'a', array)
    for position in range(len(value)):
        changed = bytearray(value)
        changed[position] ^= 0xFF
        with pytest.raises(ValueError, match='too short|checksum'):
            unpack(b'a', bytes(changed))
    with pytest.raises(ValueError, match='wrong checksum'):
        unpack(b'b', value)


def test_only_the_chunks_of_the_wanted_frames_are_read():
    array = np.random.default_rng(0).random((4, CHUNK_BYTES // 4), np.float32)
    value = bytearray(pack(b'a', array))
    value[-1] ^= 0xFF  # the last chunk
    np.testing.assert_array_equal(unpack(b'a', bytes(value), [0, 2]), array[[0, 2]])
    with pytest.raises(ValueError, match='wrong checksum'):
        unpack(b'a', bytes(value), [3])


@pytest.mark.parametrize(('total', 'every'), [(1, 4), (3, 4), (4, 4), (9, 4), (40, 4), (7, 1)])
def test_frames_that_stand_for_all_are_spread_over_the_video(total, every):
    seen = spread(total, every)
    assert (seen[0], seen[-1]) == (0, total - 1)
    assert np.diff(seen, prepend=0).max() <= every
    assert len(seen) == -(-(total - 1) // every) + 1
    if every == 1:
        assert seen.tolist() == list(range(total))


def test_a_pose_that_moves_steadily_moves_to_the_last_frame():
    seen = spread(40, 4)
    pose = np.repeat(seen.astype(np.float32)[:, None, None], 3, axis=2)
    found = unpack(b'k', pack(b'k', pose, total=40), poses=True)
    np.testing.assert_allclose(found[:, 0, 0], np.arange(40), rtol=1e-5)


@pytest.mark.parametrize('total', [1, 5, 8, 23])
def test_between_them_poses_move_on_a_line_and_others_stay(total):
    seen = spread(total, 4)
    poses = np.random.default_rng(0).random((len(seen), 2, 3), np.float32)
    value = pack(b'k', poses, total=total)
    assert Header(b'k', value).shape == (total, 2, 3)
    wanted = np.empty((total, 2, 3))
    for joint in range(2):
        for axis in range(2):
            wanted[:, joint, axis] = np.interp(np.arange(total), seen, poses[:, joint, axis])
        for t in range(total):
            before = max([i for i, s in enumerate(seen) if s <= t], default=0)
            after = min([i for i, s in enumerate(seen) if s >= t], default=len(seen) - 1)
            wanted[t, joint, 2] = min(poses[before, joint, 2], poses[after, joint, 2])
    np.testing.assert_allclose(unpack(b'k', value, poses=True), wanted, rtol=1e-5)
    some = [total - 1, 0, total // 2]
    np.testing.assert_allclose(unpack(b'k', value, some, poses=True), wanted[some], rtol=1e-5)
    nearest = [int(np.abs(seen - t).argmin()) for t in range(total)]
    np.testing.assert_array_equal(unpack(b'k', value), poses[nearest])
    with pytest.raises(IndexError):
        unpack(b'k', value, [total])


def cosine(first, second):
    """Of each row of both, in float64."""
    first, second = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (first, second))
    return (first * second).sum(1)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, max_side=40),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    st.data(),
)
@settings(deadline=None)
def test_rows_of_int8_are_within_half_a_step_of_their_largest_value(rows, data):
    rows[data.draw(st.integers(0, len(rows) - 1))] = 0
    value = pack(b'k', to_storage(rows, 'int8'))
    read = unpack(b'k', value)
    assert read.dtype == np.float32 and Header(b'k', value).shape == rows.shape
    largest = np.abs(rows).max(axis=1)
    np.testing.assert_array_equal(np.abs(read).max(axis=1), largest)
    step = largest[:, None].astype(float) / 127
    tiny = np.finfo(np.float32).smallest_subnormal
    assert (np.abs(read.astype(float) - rows) <= 0.5001 * step + tiny).all()
    some = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5))
    np.testing.assert_array_equal(unpack(b'k', value, some), read[some])
    normal = largest > 1e-30
    unit = rows[normal] / step[normal]
    # The error is at most half a step in each of D values, the row at least 127 steps long.
    bound = np.sqrt(1 - rows.shape[1] * (0.5001 / 127) ** 2)
    assert (cosine(unit, read[normal] / step[normal]) >= bound).all()


@pytest.mark.parametrize('scale', [1e-30, 1, 1e30])
@pytest.mark.parametrize('dim', [384, 1280])
@pytest.mark.parametrize('draw', ['normal', 'exponential'])
def test_embeddings_in_int8_keep_their_direction(draw, dim, scale):
    """Normal like those of sentences, or of a few large values, as of a rectified network."""
    rows = (getattr(np.random.default_rng(0), draw)(size=(50, dim)) * scale).astype(np.float32)
    stored = to_storage(rows, 'int8')
    assert (np.abs(stored['values']).max(axis=1) == 127).all()
    assert len(pack(b'k', stored)) < 0.26 * rows.nbytes
    assert cosine(rows / scale, from_storage(stored) / scale).min() > 0.9997


@pytest.mark.parametrize('total', [1, 9, 40])
def test_of_two_rows_of_int8_the_nearest_is_read(total):
    seen = spread(total, 4)
    stored = to_storage(np.random.default_rng(0).normal(size=(len(seen), 7)), 'int8')
    value = pack(b'k', stored, total=total)
    nearest = [int(np.abs(seen - t).argmin()) for t in range(total)]
    np.testing.assert_array_equal(unpack(b'k', value), from_storage(stored)[nearest])
    np.testing.assert_array_equal(unpack(b'k', value, [0, 0]), from_storage(stored)[[0, 0]])
