"""Marks of H.264 pictures in packets of every form."""

from __future__ import annotations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmact_ssl.datasets.h264 import is_referred_to

OTHERS = st.lists(st.tuples(st.sampled_from([6, 7, 8, 9, 12]), st.integers(0, 60)), max_size=4)


@pytest.mark.parametrize('length_bytes', [1, 2, 4, 0])
@given(others=OTHERS, kind=st.sampled_from([1, 2, 5]), mark=st.integers(0, 3))
def test_the_first_slice_tells_whatever_comes_before_it(length_bytes, others, kind, mark):
    units = [bytes([96 | other]) + bytes([7]) * size for other, size in others]
    units.append(bytes([mark << 5 | kind, 200, 1, 2]))
    if length_bytes:
        extradata = bytes([1, 100, 0, 31, 252 | length_bytes - 1, 225])
        before = [len(unit).to_bytes(length_bytes, 'big') for unit in units]
    else:
        extradata = b''
        before = [b'\0\0\0\1' if number % 2 else b'\0\0\1' for number in range(len(units))]
    packet = av.Packet(b''.join(a + b for a, b in zip(before, units)))
    assert is_referred_to(packet, extradata) == (mark > 0)


@pytest.mark.parametrize('extradata', [None, b'', bytes([1, 100, 0, 31, 255, 225])])
def test_without_a_slice_it_counts_as_a_reference(extradata):
    assert is_referred_to(av.Packet(b'\0\0\0\2\x06\x07'), extradata)
    assert is_referred_to(av.Packet(b'\0\0\1'), extradata)
