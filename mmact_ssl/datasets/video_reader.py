"""Reader of chosen frames of a video file, which decodes no more than they need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType

from mmact_ssl.datasets.frame_conversion import FrameConverter, VideoError, shown_stream
from mmact_ssl.datasets.pictures import Picture, allows_fields, parameter_sets, picture_in
from mmact_ssl.datasets.shards import open_video
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.io.files import dangling

# Bytes of compressed packets that stay in memory between counting and decoding. Those of a larger
# file are read again, from the key frame on, if seeking finds each of them.
HELD_BYTES = 256 * 2**20

# Formats for which FFmpeg may give decoding times as display times. Such times rise even where
# B-frames change the order.
_WITHOUT_ORDER = ('avi', 'asf', 'mxf')


class VideoReader:
    """Random access to the frames of a video file or of a video in a tar shard, exact to the frame.

    Frames are those that decoding the file in order gives, counted from 0 in display order. The
    reader demuxes the file once; twice, if it is large and seeking would not find each packet. If
    each packet is known to be one frame, this gives the number, order and times of the frames. Else
    the reader decodes the file once when it is opened: H.264 that allows fields, MPEG-2 and rarer
    codecs, files that begin inside a group of pictures, several edits, and time stamps that are
    absent, equal or not in display order (raw streams; AVI, WMV and MXF with B-frames). ``read``
    decodes from the key frame before each requested frame up to that frame. It skips frames that no
    other frame refers to, and converts and scales only the requested ones.

    The reader takes the video stream that a player shows, and of an edit list the part that is
    shown. It does not count packets before the first key packet, since the file lacks the frames
    that they refer to. It scales a frame of another size to the first frame's size, drops
    transparency, makes pixels square, and applies a rotation or mirroring of the file's metadata.

    Raises:
        BrokenSampleError: The file is missing, unreadable or has no frames.
    """

    def __init__(self, filename: str | os.PathLike) -> None:
        self.filename = os.fspath(filename)
        self._packets: list[av.Packet] | None = None
        with self._reported('cannot be opened'):
            self._container = open_video(self.filename)
        try:
            self._index()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def frame_bytes(self) -> int:
        """Size of a decoded frame."""
        return 3 * self._size[0] * self._size[1]

    def close(self) -> None:
        """Close the file."""
        self._packets = None
        self._container.close()

    @cached_property
    def seconds(self) -> np.ndarray:
        """Display time of each frame in seconds after the first, float64 (total_frames,), rising.

        The times come from the file's time stamps; if these are absent or do not rise (raw
        streams), from its mean frame rate; without a rate, from 25 frames per second.
        """
        stamps = [self._stamps[position] for position in self._position.tolist()]
        if None not in stamps and self._stream.time_base:
            # Sorted, because they may be decoding times.
            times = np.sort(np.array(stamps, dtype=np.int64))
            if (np.diff(times) > 0).all():
                return (times - times[0]) * float(self._stream.time_base)
        return np.arange(self.total_frames) / self._rate

    @property
    def duration(self) -> float:
        """End of the last frame in seconds; it is shown as long as the frame before it."""
        last = self.seconds[-2:]
        return float(last[-1] + (last[-1] - last[0] if len(last) > 1 else 1 / self._rate))

    @property
    def _rate(self) -> float:
        """Mean number of frames per second."""
        return float(self._stream.average_rate or self._stream.base_rate or 25)

    def keyframes_near(self, frame_ind: int, count: int) -> np.ndarray:
        """Up to ``count`` key frames nearest to a frame, int64 indices in the order of the video.

        Key frames are pictures of type I, even where decoding cannot start. The headers of H.264,
        MPEG-4 and VP8 contain the type. The reader decodes once a video of most other codecs, or
        one whose packets are not in memory. Distance is the number of packets in decoding order;
        of two equally near key frames the earlier one is taken.
        """
        keys = self._position[self._is_intra]
        if not len(keys):
            raise self._broken('has no key frame')
        keys.sort()
        distance = np.abs(keys - self._position[frame_ind])
        nearest = keys[np.argsort(distance, kind='stable')[:count]]
        return np.sort(self._rank[nearest])

    @cached_property
    def _is_intra(self) -> np.ndarray:
        """Frames that are pictures of type I, bool (total_frames,)."""
        types: list[bool | None] = [None]
        if self._packets is not None:
            pictures = (self._picture(self._packets[p]) for p in self._position.tolist())
            types = [picture and picture.is_intra for picture in pictures]
        if None in types:
            types = [False] * self.total_frames
            for position, is_intra in self._decode_once():
                types[self._rank[position]] = is_intra
        return np.array(types, dtype=bool)

    def read(
        self,
        indices: Iterable[int],
        short_side: int | None = None,
        take: Callable[[int, np.ndarray], Any] | None = None,
    ) -> dict[int, Any]:
        """Decode each frame once: {index: RGB, uint8 (H, W, 3)}; the arrays share no memory.

        Args:
            indices: Frames, 0 <= index < total_frames, in any order, also repeated.
            short_side: Short side in pixels of the result; None keeps the size.
            take: Takes each (index, frame) as it is decoded, and the result holds what it returns.
                All frames come again if the container gives a wrong size.

        Raises:
            BrokenSampleError: A frame cannot be decoded, or the frames are too large.
        """
        requested = {int(index) for index in indices}
        frames: dict[int, Any] = {}
        sizes = set()
        convert = FrameConverter(self._stream, short_side, self._size)

        def convert_requested(position: int, frame: av.VideoFrame) -> None:
            index = int(self._rank[position])
            if index in requested and index not in frames:
                sizes.add((frame.width, frame.height))
                frames[index] = take(index, convert(frame)) if take else convert(frame)

        with self._reported('cannot be decoded'):
            for start, stop, needed in self._runs(requested):
                self._decode(start, stop, needed, convert_requested)
            if len(frames) < len(requested):
                # A key frame needs earlier packets than its mark tells: decode all of them.
                self._decode(0, len(self._stamps), set(), convert_requested)
        if missing := requested - frames.keys():
            raise self._broken(f'{len(missing)} frames cannot be decoded, first {min(missing)}')
        if not self._is_sized and sizes - {self._size}:
            # The stream changes its size, or the container gives a wrong one.
            self._find_size()
            return self.read(requested, short_side, take)
        return frames

    def _find_size(self) -> None:
        """Replace the size that the container gives by the first frame's."""

        def set_size(position: int, frame: av.VideoFrame) -> None:
            if self._rank[position] == 0:
                self._size = frame.width, frame.height

        with self._reported('cannot be decoded'):
            self._decode(*self._runs({0})[0], set_size)
        self._is_sized = True

    def _broken(self, reason: str) -> BrokenSampleError:
        return BrokenSampleError(self.filename, reason)

    @contextmanager
    def _reported(self, reason: str) -> Iterator[None]:
        """Report an error of FFmpeg, or a video that cannot be used, as a broken sample."""
        try:
            yield
        except VideoError as error:
            raise self._broken(str(error)) from error
        except av.FFmpegError as error:
            cause = dangling(self.filename) or error.strerror or type(error).__name__
            raise self._broken(f'{reason} ({cause})') from error

    def _index(self, holds_all: bool = False) -> None:
        """Build the tables of the packets, in decoding order; if asked, hold those of a large file.

        ``_position[i]`` is the first packet of frame i. ``_rank`` is its inverse, -1 for packets
        that show no frame. ``_starts`` are the packets at which decoding can start. ``_stamps`` are
        the display times of all packets.
        """
        with self._reported('has no stream'):
            self._stream = shown_stream(self._container)
        codec = self._stream.codec_context
        if codec is None:
            raise self._broken('its codec is unknown')
        # Frame threads delay the effect of skip_frame, and each data worker has one core.
        codec.thread_count = 1
        # FFmpeg then delays frames until their order is sure, even if the stream gives no delay.
        codec.options = {'strict': '1'}
        self._size = codec.width, codec.height
        self._is_sized = False  # True once the size is known to be the first frame's
        keys, edited, pictures, is_whole = self._demux(holds_all)
        if self._packets is None and not self._can_seek:  # known at the end alone
            self._container.close()
            with self._reported('cannot be opened'):
                self._container = open_video(self.filename)
            self._index(holds_all=True)
            return
        starts = [key and (p is None or p.can_start) for key, p in zip(keys, pictures)]
        self._starts = np.flatnonzero(starts)
        hidden = np.array([p is not None and not p.is_shown for p in pictures])
        order = self._order(np.array(edited), hidden)
        sets = parameter_sets(codec.extradata) if codec.name == 'h264' else ()
        is_known = is_whole and starts[0] and None not in pictures and order is not None
        self._is_decoded = not is_known or any(map(allows_fields, sets))
        if self._is_decoded:
            decoded = self._decode_once()
            order = np.array([position for position, _ in decoded], dtype=np.int64)
            intra = [position for position, is_intra in decoded if is_intra]
            self._starts = self._starts[np.isin(self._starts, intra)]
        if order is None or not len(order):
            raise self._broken('has no frames')
        self._position = order
        self.total_frames = len(order)
        self._rank: np.ndarray = np.full(len(keys), -1, dtype=np.int64)
        self._rank[order] = np.arange(len(order))
        self._starts = self._starts[self._rank[self._starts] >= 0]

    def _demux(self, holds_all: bool) -> tuple[Sequence, Sequence, Sequence, bool]:
        """Read the file once; keep its packets, or of a large file only their stamps and places.

        Returns:
            For each packet from the first key packet on: True for a key packet, True if the edit
            list removes it, and its picture; and True if no packet comes before them.
        """
        self._packets = []
        table: list[tuple[int | None, int | None, int | None, bool, bool, Picture | None]] = []
        dts_seen: set[int | None] = {None}
        places_seen: set[int | None] = {None, -1}  # -1: unknown to FFmpeg
        self._can_seek = is_whole = True
        self._first_dts = None
        is_h264, plain, size = self._stream.codec_context.name == 'h264', Picture(True), 0
        with self._reported('cannot be read to its end'):
            for packet in (p for p in self._container.demux(self._stream) if p.size):
                is_key, dts, place = packet.is_keyframe, packet.dts, packet.pos
                self._first_dts = dts if self._first_dts is None else self._first_dts
                if not (table or is_key):
                    is_whole = False
                    continue
                # Seeking finds a packet again only if its stamp and its place are unique.
                self._can_seek &= dts not in dts_seen and place not in places_seen
                dts_seen.add(dts)
                places_seen.add(place)
                # In H.264 the parameter sets come with key pictures.
                picture = plain if is_h264 and not is_key else self._picture(packet)
                table.append((packet.pts, dts, place, is_key, packet.is_discard, picture))
                size += packet.size
                if self._packets is not None:
                    packet.pts = len(self._packets)  # the decoder hands it on to the frame
                    self._packets.append(packet)
                    if size > HELD_BYTES and self._can_seek and not holds_all:
                        self._packets = None
        if not table:
            raise self._broken('has no frames')
        self._stamps, self._dts, self._places, keys, edited, pictures = zip(*table)
        return keys, edited, pictures, is_whole

    def _order(self, edited: np.ndarray, hidden: np.ndarray) -> np.ndarray | None:
        """Packets in the order in which their pictures are shown; None if that is unknown.

        Args:
            edited: bool, packets that the file's edit list removes.
            hidden: bool, packets whose picture is never shown, only referred to.
        """
        shown = np.flatnonzero(~hidden)
        stamps = [self._stamps[position] for position in shown.tolist()]
        if not stamps or None in stamps or len(set(stamps)) < len(stamps):
            return None
        times = np.array(stamps, dtype=np.int64)
        order = shown[np.argsort(times)]
        unedited = np.flatnonzero(~edited[order])
        # FFmpeg does not always know of the B-frames of H.264 and HEVC before it decodes.
        codec = self._stream.codec_context
        may_reorder = codec.has_b_frames or codec.name in ('h264', 'hevc')
        is_guessed = self._container.format.name in _WITHOUT_ORDER and may_reorder
        if is_guessed and (np.diff(times) > 0).all():
            return None
        # Frames shown before the first key frame refer to frames that the file lacks. An edit list
        # of several parts changes the order.
        return order[unedited] if order[0] == shown[0] and (np.diff(unedited) == 1).all() else None

    def _picture(self, packet: av.Packet) -> Picture | None:
        codec = self._stream.codec_context
        return picture_in(codec.name, bytes(packet), codec.extradata)

    def _decode_once(self) -> list[tuple[int, bool]]:
        """Decode the whole video; return (packet, True for a picture of type I) of each frame."""
        decoded: list[tuple[int, bool]] = []

        def add(position: int, frame: av.VideoFrame) -> None:
            if not decoded:
                self._size, self._is_sized = (frame.width, frame.height), True
            decoded.append((position, frame.pict_type == PictureType.I))

        with self._reported('cannot be decoded'):
            self._decode(0, len(self._stamps), set(), add)
        if len({position for position, _ in decoded}) < len(decoded):
            raise self._broken('its frames cannot be told apart')
        return decoded

    def _runs(self, indices: set[int]) -> list[tuple[int, int, set[int]]]:
        """Stretches of packets to decode, (start, stop, packets needed), without overlap."""
        shown = np.sort(self._position)
        start_ranks = self._rank[self._starts]
        runs: list[tuple[int, int, set[int]]] = []
        for position in sorted(int(self._position[index]) for index in indices):
            # A frame that is decoded after a key frame and shown before it may refer to frames
            # before the key frame. So the start must come first in both orders.
            is_before = (self._starts <= position) & (start_ranks <= self._rank[position])
            before = self._starts[is_before]
            start = int(before[-1]) if len(before) else 0
            # A frame may have several packets, such as its two fields: stop at the next frame's.
            following = int(np.searchsorted(shown, position, side='right'))
            stop = int(shown[following]) if following < len(shown) else len(self._stamps)
            if runs and start < runs[-1][1]:
                runs[-1][2].add(position)
                runs[-1] = (min(start, runs[-1][0]), stop, runs[-1][2])
            else:
                runs.append((start, stop, {position}))
        return runs

    def _decode(
        self, start: int, stop: int, needed: set[int], handle: Callable[[int, av.VideoFrame], None]
    ) -> None:
        """Decode packets start to stop - 1 and call ``handle(packet, frame)`` for each frame.

        Packets that are neither in ``needed`` nor referred to by others are skipped; with an empty
        ``needed`` no packet is skipped.
        """
        codec = self._stream.codec_context
        # H.264 marks such packets exactly. HEVC's marks allow references from higher layers.
        may_skip = codec.name == 'h264' and bool(needed) and not self._is_decoded

        def hand_out(packet: av.Packet | None) -> None:
            for frame in codec.decode(packet):
                # A decoder that starts inside a video may return frames that lack references.
                if not (start and frame.is_corrupt):
                    handle(frame.pts, frame)

        try:
            for position, packet in self._packets_between(start, stop):
                if may_skip:
                    codec.skip_frame = 'DEFAULT' if position in needed else 'NONREF'
                hand_out(packet)
            codec.skip_frame = 'DEFAULT'
            hand_out(None)
        finally:
            codec.flush_buffers()

    def _packets_between(self, start: int, stop: int) -> Iterator[tuple[int, av.Packet]]:
        """Positions and packets, start to stop - 1, from memory or from the file."""
        if self._packets is not None:
            yield from enumerate(self._packets[start:stop], start)
            return
        # Not by decoding times: FFmpeg guesses them, and guesses others after seeking.
        positions = {place: position for position, place in enumerate(self._places)}
        # FFmpeg may not find the first key packet if others come before it: begin with these.
        stamp = self._dts[start] if start else self._first_dts
        self._container.seek(stamp, any_frame=not start, stream=self._stream)
        for packet in self._container.demux(self._stream):
            position = positions.get(packet.pos, -1)
            if position >= stop:
                break
            if position >= start:
                packet.pts = position
                yield position, packet
