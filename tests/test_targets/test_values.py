"""Serialized arrays: some frames of many, and no damage that goes unnoticed."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.targets.values import CHUNK_BYTES, Header, pack, spread, unpack

ARRAY = np.random.default_rng(0).random((5, 3), np.float32)


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


def test_a_value_cut_anywhere_is_damaged():
    value = pack(b'a', ARRAY, 'hash')
    for length in range(len(value)):
        with pytest.raises(ValueError, match='too short|checksum|bytes instead of'):
            unpack(b'a', value[:length])


def test_a_value_changed_anywhere_or_of_another_key_is_damaged():
    value = pack(b'a', ARRAY)
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
