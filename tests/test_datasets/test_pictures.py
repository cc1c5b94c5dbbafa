"""Pictures by their headers; the test of the reader compares their types with a decoder's."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmact_ssl.datasets.pictures import allows_fields, parameter_sets, picture_in

CODECS = ('h264', 'mpeg4', 'vp8', 'vp9', 'hevc', 'mjpeg', 'mpeg2video')
SUPERFRAME = bytes([0x84, 1, 2, 0x86, 3, 0xC9, 3, 0, 2, 0, 0xC9])


@pytest.mark.parametrize(
    ('packet', 'is_shown'),
    [
        (bytes([0x82, 9]), True),  # a key frame
        (bytes([0x84, 9]), False),
        (bytes([0x86, 9]), True),
        (bytes([0x88]), True),  # an earlier frame is shown
        (bytes([0xB0, 9]), False),  # of profile 3
        (bytes([0xB1, 9]), True),
        (bytes([0xB2, 9]), False),
        (bytes([0x84, 9, 0xC9]), False),  # ends as a superframe does, and is none
        (SUPERFRAME, True),
    ],
)
def test_hidden_frames_of_vp9(packet, is_shown):
    assert picture_in('vp9', packet, None).is_shown == is_shown


def test_packets_that_need_not_be_one_frame():
    vop = b'\0\0\1\xb6'
    coded = vop + bytes(30)
    assert picture_in('mpeg4', coded, None) == (True, True, True)
    assert picture_in('mpeg4', coded + coded, None) is None  # as DivX packs B-frames
    assert picture_in('mpeg4', vop + bytes(5), None) is None
    assert picture_in('h264', b'\0\0\1\x09\xf0', None) is None
    assert picture_in('mpeg2video', bytes(30), None) is None


BYTES = st.lists(st.sampled_from([0, 0, 1, 3, 6, 0x65, 0x67, 0x41, 0xB6, 100, 255]), min_size=1)


@given(packet=st.one_of(st.binary(min_size=1), BYTES.map(bytes)), head=st.binary(max_size=12))
@example(packet=b'\0\0\1\x67', head=b'')
@example(packet=b'\0\0\1\x67\0\0\1', head=b'\1aaaa\1\0\1g')
def test_any_bytes_are_read_to_their_end(packet, head):
    for extradata in (None, head, b'\1' + head, b'\1aaa\3' + head + packet):
        for codec in CODECS:
            picture_in(codec, packet, extradata)
        for unit in parameter_sets(extradata):
            allows_fields(unit)
