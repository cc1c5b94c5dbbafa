"""Reference marks in the packets of an H.264 stream."""

from __future__ import annotations

import av

# Types of NAL units that hold a slice of a picture, or its first partition (H.264, table 7-1).
_SLICES = (1, 2, 5)


def is_referred_to(packet: av.Packet, extradata: bytes | None) -> bool:
    """True if other pictures may refer to the picture of a packet, or if the packet has no mark.

    Args:
        packet: One picture, its NAL units behind their lengths (MP4, Matroska) or behind start
            codes (transport streams, AVI).
        extradata: Of the stream's codec; it selects the form.

    Source: ``nal_ref_idc``, H.264 (ITU-T H.264) 7.4.1; the lengths, ISO/IEC 14496-15.
    """
    units = memoryview(packet)
    if extradata and extradata[0] == 1:
        length_bytes = (extradata[4] & 3) + 1
        at = length_bytes
        while at < len(units):
            if units[at] & 31 in _SLICES:
                return units[at] >> 5 & 3 > 0
            at += int.from_bytes(units[at - length_bytes : at], 'big') + length_bytes
        return True
    stream = bytes(units)
    at = stream.find(b'\0\0\1')
    while 0 <= at < len(stream) - 3:
        if stream[at + 3] & 31 in _SLICES:
            return stream[at + 3] >> 5 & 3 > 0
        at = stream.find(b'\0\0\1', at + 3)
    return True
