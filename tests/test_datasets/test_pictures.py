"""Pictures by their headers, against what a decoder finds."""

from __future__ import annotations

import av
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmact_ssl.datasets.pictures import allows_fields, parameter_sets, picture_in
from tests.helpers.videos import video_cases

CODECS = ('h264', 'mpeg4', 'vp8', 'vp9', 'hevc', 'mjpeg', 'mpeg2video')
NAMES = ('h264.mp4', 'h264.ts', 'h264_open.mkv', 'h264_scenes.mp4', 'h264_refresh.mp4')
SUPERFRAME = bytes([0x84, 1, 2, 0x86, 3, 0xC9, 3, 0, 2, 0, 0xC9])


@pytest.mark.parametrize('name', (*NAMES, 'mpeg4.mkv', 'mpeg4.avi', 'vp8.webm', 'mjpeg.avi'))
def test_types_are_those_of_the_decoder(name, tmp_path):
    path = video_cases()[name](tmp_path / name)
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        packets = [packet for packet in container.demux(video=0) if packet.size]
        pictures = [picture_in(codec.name, bytes(p), codec.extradata) for p in packets]
    order = sorted(range(len(packets)), key=lambda place: packets[place].pts)
    with av.open(str(path)) as container:
        types = [int(frame.pict_type) == 1 for frame in container.decode(video=0)]
    assert all(picture.is_shown for picture in pictures)
    assert [pictures[place].is_intra for place in order] == types
    starts = [place for place, picture in enumerate(pictures) if picture.can_start]
    # x264's I-pictures at cuts, and its first refreshed ones, are not where decoding can start.
    assert starts == [0] if 'scenes' in name or 'refresh' in name else len(starts) >= 3


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
