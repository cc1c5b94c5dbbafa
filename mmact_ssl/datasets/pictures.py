"""Reading which picture a packet of a video stream contains, from its header alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# Codecs whose packets each contain one picture of type I.
ALL_INTRA = ('dnxhd', 'ffv1', 'ffvhuff', 'huffyuv', 'mjpeg', 'png', 'prores', 'rawvideo')
# Codecs whose packets each contain one picture. Its type is known after decoding only.
ONE_PICTURE = ('av1', 'gif', 'hevc', 'libaom-av1', 'libdav1d')
# An MPEG-4 picture that repeats the last one is smaller, and the decoder returns no frame for it.
MPEG4_LEAST = 20  # bytes
RECOVERY_POINT = 6  # type of an H.264 SEI message; only the first message of a unit is read
# H.264 profiles whose sequence parameter sets begin with the sample format.
_WITH_FORMAT = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


class Picture(NamedTuple):
    """The one picture of a packet."""

    is_shown: bool
    is_intra: bool | None = None  # of type I; None: known after decoding only
    can_start: bool = True  # decoding can start here by the codec's marks; the container has others


def picture_in(codec: str, packet: bytes, extradata: bytes | None) -> Picture | None:
    """Return the picture of a packet, or None if the packet may not be exactly one frame.

    Args:
        codec: FFmpeg's name of the decoder.
        packet: Data of one packet.
        extradata: Extradata of the stream; for H.264 it selects the form of the packets.

    Source: H.264 (ITU-T H.264) 7.3; MPEG-4 part 2 (ISO/IEC 14496-2) 6.2.5; VP8 (RFC 6386) 9.1;
    VP9 bitstream specification 6.2 and annex B.
    """
    if codec == 'h264':
        return _h264_picture(packet, extradata)
    if codec == 'mpeg4':
        _, *pictures = packet.split(b'\0\0\1\xb6')
        if len(pictures) != 1 or not pictures[0] or len(packet) < MPEG4_LEAST:
            return None  # several pictures, or one that repeats the last
        is_intra = pictures[0][0] >> 6 == 0
        return Picture(True, is_intra, is_intra)
    if codec == 'vp8':
        is_intra = packet[0] & 1 == 0
        return Picture(bool(packet[0] >> 4 & 1), is_intra, is_intra)
    if codec == 'vp9':
        return Picture(_vp9_is_shown(packet))
    if codec in ALL_INTRA:
        return Picture(True, True)
    return Picture(True) if codec in ONE_PICTURE else None


def _vp9_is_shown(packet: bytes) -> bool:
    last = packet[-1]
    if last >> 5 == 6:  # the mark of a superframe, whose last frame is shown
        index_bytes = 2 + ((last >> 3 & 3) + 1) * ((last & 7) + 1)
        if packet[-index_bytes:][0] == last and len(packet) >= index_bytes:
            return True
    head = packet[0] << (packet[0] >> 4 & 3 == 3)  # profile 3 has one bit more
    return bool(head & 0b1010)  # an earlier frame is shown, or this one


def _h264_picture(packet: bytes, extradata: bytes | None) -> Picture | None:
    """Picture of an H.264 packet; None if a sequence parameter set allows fields."""
    has_recovery_point = False
    for unit in h264_units(packet, extradata):
        kind = unit[0] & 31
        if kind == 7 and allows_fields(unit):
            return None
        if kind == 6:
            has_recovery_point |= unit[1] == RECOVERY_POINT
        if kind in (1, 2, 5):
            if unit[1] < 128:  # the first slice is not there
                return None
            code = unit[1] & 127  # of the slice's type: 2, 7 (I), 4 or 9 (SI)
            is_intra = code >> 4 == 0b011 or code >> 2 == 0b00101 or code in (0b0001000, 0b0001010)
            return Picture(True, is_intra, is_intra and (kind == 5 or has_recovery_point))
    return None


def parameter_sets(extradata: bytes | None) -> Iterator[bytes]:
    """Sequence parameter sets in the extradata of H.264, each a NAL unit."""
    data = extradata or b''
    if not _has_lengths(data):
        yield from (unit for unit in h264_units(data, None) if unit[0] & 31 == 7)
        return
    at = 6
    for _ in range(data[5] & 31):
        size = int.from_bytes(data[at : at + 2], 'big')
        if at + 4 < len(data) and size > 1:
            yield data[at + 2 : at + 2 + size]
        at += 2 + size


def h264_units(packet: bytes, extradata: bytes | None) -> Iterator[bytes]:
    """NAL units of a packet, after their lengths (MP4, Matroska) or start codes (others)."""
    if extradata and _has_lengths(extradata):
        length_bytes = (extradata[4] & 3) + 1
        at = 0
        while at + length_bytes < len(packet):
            first = at + length_bytes
            at = first + int.from_bytes(packet[at:first], 'big')
            if min(at, len(packet)) > first + 1:
                yield packet[first:at]
        return
    at = packet.find(b'\0\0\1')
    while 0 <= at < len(packet) - 4:
        following = packet.find(b'\0\0\1', at + 3)
        if following != at + 4:
            yield packet[at + 3 : following if following > 0 else None]
        at = following


def _has_lengths(extradata: bytes) -> bool:
    return len(extradata) > 6 and extradata[0] == 1


def allows_fields(unit: bytes) -> bool:
    """True if an H.264 sequence parameter set allows pictures of one field, or may do so."""
    bits = _Bits(unit[4:])
    bits.exp_golomb()
    if unit[1] in _WITH_FORMAT:
        chroma = bits.exp_golomb()
        bits.take(1 if chroma == 3 else 0)
        bits.exp_golomb(), bits.exp_golomb()  # depths of bits
        if bits.take(2) & 1:  # scaling matrices, which are rare and not parsed here
            return True
    bits.exp_golomb()
    order = bits.exp_golomb()
    if order == 1:  # as rare, and not parsed either
        return True
    if order == 0:
        bits.exp_golomb()
    bits.exp_golomb()
    bits.take(1)
    bits.exp_golomb(), bits.exp_golomb()  # width and height
    return bits.take(1) == 0


class _Bits:
    """Reader of the bits of a NAL unit; it gives zeros after the end."""

    def __init__(self, unit: bytes) -> None:
        payload = b'\1' + unit.replace(b'\0\0\3', b'\0\0')
        self._bits = bin(int.from_bytes(payload, 'big'))[3:]
        self._at = 0

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self._at += count
        return int(self._bits[self._at - count : self._at] or '0', 2)

    def exp_golomb(self) -> int:
        """The next number in Exp-Golomb code, unsigned."""
        first_one = self._bits.find('1', self._at)
        if first_one < 0:
            return 0
        zeros = first_one - self._at
        self._at = first_one
        return self.take(zeros + 1) - 1
