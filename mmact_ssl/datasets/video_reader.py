"""Reading chosen frames of a video file, no more of it than they need."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter

from mmact_ssl.datasets.h264 import is_referred_to
from mmact_ssl.datasets.shards import FILES_ALONE, video_source
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.files import dangling

# Compressed packets are kept between counting and decoding up to this size of a file, in bytes;
# of a larger file they are read again, from the key frame on.
HELD_BYTES = 256 * 2**20

# Formats of which FFmpeg may put the time stamps of decoding in place of those of display, which
# are then in order though there are B-frames.
_WITHOUT_ORDER = ('avi', 'asf', 'mxf')

# Codecs whose non-reference frames the decoder may leave out without any trace in the others.
# H.264 marks them exactly; HEVC's marks allow for references from higher temporal layers.
_SKIPS_NON_REFERENCE = ('h264',)

# swscale starts a thread per core unless told otherwise; older PyAV has one thread and no option.
_REFORMAT_OPTIONS: dict[str, Any] = (
    {'threads': 1} if 'threads' in (VideoReformatter.reformat.__doc__ or '') else {}
)


class VideoReader:
    """Random access to the frames of one video file, or one in a shard, exact to the frame.

    Frames are counted in the order of display, from 0. The file is demuxed once, which gives the
    number of frames, their order and the key frames without decoding (of raw streams, and of AVI,
    WMV and MXF files with B-frames where they hold no order, the key frames are decoded). ``read``
    then decodes from the key frame before each wanted frame to the last wanted one; on the way it
    leaves out the frames that no other refers to, and converts and scales only what was asked for.

    Of a file that FFmpeg reads the first video stream is taken. Packets before the first key frame
    cannot be decoded and are not counted. Time stamps give only the order. Transparency is dropped,
    a rotation or mirroring that the file's metadata asks for is applied.

    Raises:
        BrokenSampleError: The file is missing, unreadable or has no frames.

    Source: our choice, measured in docs/benchmarks.md.
    """

    def __init__(self, filename: str | os.PathLike) -> None:
        self.filename = os.fspath(filename)
        self._packets: list[av.Packet] | None = None
        self._sizes: set[tuple[int, int]] = set()  # of the frames that were read
        self._deblocks = True
        with self._reported('cannot be opened'):
            self._container = _open(self.filename)
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
        return 3 * self._stream.codec_context.width * self._stream.codec_context.height

    def close(self) -> None:
        """Close the file."""
        self._packets = None
        self._container.close()

    def keyframes_near(self, frame_ind: int, count: int) -> np.ndarray:
        """Up to ``count`` key frames nearest to a frame, int64 indices in the order of the video.

        Nearness is counted in packets, in the order of decoding; of two the earlier comes first.
        Where the order of display is unknown it is counted in frames, and the video is decoded.
        """
        if not self._in_order:
            keys = self._decoded_keyframes
            nearest = np.argsort(np.abs(keys - frame_ind), kind='stable')[:count]
            return np.sort(keys[nearest])
        keys = np.flatnonzero(self._is_key)
        distance = np.abs(keys - self._position[frame_ind])
        nearest = keys[np.argsort(distance, kind='stable')[:count]]
        return np.sort(self._rank[nearest])

    @cached_property
    def is_reference(self) -> np.ndarray:
        """Frames that others may refer to, bool (total_frames,); the rest can be left out.

        True of all frames where the codec does not mark them or the order of display is unknown,
        and of files that are not held in memory.
        """
        marks = np.ones(len(self._is_key), dtype=bool)
        if self._can_skip and self._in_order and self._packets is not None:
            extradata = self._stream.codec_context.extradata
            marks[:] = [is_referred_to(packet, extradata) for packet in self._packets]
        return marks[self._position]

    @cached_property
    def _decoded_keyframes(self) -> np.ndarray:
        """Indices of the key frames, int64, found by decoding the video from its beginning."""
        keys: list[int] = []

        def keep(index: int, frame: av.VideoFrame) -> None:
            if frame.key_frame and index < self.total_frames:
                keys.append(index)

        with self._reported('cannot be decoded'):
            self._decode(0, len(self._is_key), set(), keep, count=True)
        if not keys:
            raise self._broken('has no key frame that can be decoded')
        return np.array(keys, dtype=np.int64)

    def read(
        self, frame_inds: Iterable[int], short_side: int | None = None, deblock: bool = True
    ) -> dict[int, np.ndarray]:
        """Decode frames, each once: by index RGB, uint8 (H, W, 3), that share no memory.

        Args:
            frame_inds: Indices of frames, 0 <= index < total_frames, in any order, repeated or not.
            short_side: Length of the short side in pixels that frames are scaled to while they
                are converted; None keeps the size.
            deblock: Whether the decoder smooths the edges of blocks, as the codec wants it. Without
                it frames are only near the exact ones.

        Raises:
            BrokenSampleError: A frame could not be decoded, or has another size than others.
        """
        wanted = {int(index) for index in frame_inds}
        frames: dict[int, np.ndarray] = {}
        convert = _Converter(short_side, self._sizes)
        if deblock != self._deblocks:
            self._set_deblocking(deblock)

        def keep(index: int, frame: av.VideoFrame) -> None:
            if index in wanted and index not in frames:
                frames[index] = convert(frame)

        with self._reported('cannot be decoded'):
            if self._in_order:
                for start, stop, skip in self._runs(wanted):
                    self._decode(start, stop, skip, keep)
            if len(frames) < len(wanted):
                # Either the order of display is unknown or a frame needs more than the file
                # says, as with intra refresh: decode all from the beginning.
                self._decode(0, len(self._is_key), set(), keep, count=not self._in_order)
        if len(frames) < len(wanted):
            missing = sorted(wanted - set(frames))
            raise self._broken(
                f'{len(missing)} frames cannot be decoded, the first is {missing[0]}'
            )
        if len(self._sizes) > 1:
            raise self._broken(f'its frames have several sizes, {sorted(self._sizes)}')
        return frames

    def _broken(self, reason: str) -> BrokenSampleError:
        return BrokenSampleError(self.filename, reason)

    @contextmanager
    def _reported(self, reason: str) -> Iterator[None]:
        """Report an error of FFmpeg as a broken sample."""
        try:
            yield
        except av.FFmpegError as error:
            cause = dangling(self.filename) or error.strerror or type(error).__name__
            raise self._broken(f'{reason} ({cause})') from error

    def _index(self) -> None:
        """Demux the file once and lay down the tables, all in the order of decoding.

        ``_rank[p]`` is the frame that packet p shows, -1 for none; ``_position`` is its inverse;
        ``_is_key[p]`` is True where decoding can start.
        """
        if not self._container.streams.video:
            raise self._broken('has no video stream')
        self._stream = self._container.streams.video[0]
        codec = self._stream.codec_context
        if codec is None:
            raise self._broken('its codec is unknown')
        # Frame threads delay the effect of skip_frame, and each data worker has one core.
        codec.thread_count = 1
        self._set_options()
        self._can_skip = codec.name in _SKIPS_NON_REFERENCE

        packets: list[av.Packet] | None = []
        pts: list[int | None] = []
        dts: list[int | None] = []
        keys: list[bool] = []
        shown: list[bool] = []
        places: list[int | None] = []  # in the file, bytes
        known_stamps: set[int | None] = {None}
        known_places: set[int | None] = {None, -1}  # -1: FFmpeg does not know it
        can_seek = True
        held_bytes = 0
        with self._reported('cannot be read to its end'):
            for packet in self._container.demux(self._stream):
                if packet.size == 0 or not (keys or packet.is_keyframe):
                    continue
                pts.append(packet.pts)
                dts.append(packet.dts)
                keys.append(packet.is_keyframe)
                shown.append(not packet.is_discard)
                places.append(packet.pos)
                # Without stamps and places that differ packets cannot be found again by seeking.
                can_seek &= packet.dts not in known_stamps and packet.pos not in known_places
                known_stamps.add(packet.dts)
                known_places.add(packet.pos)
                held_bytes += packet.size
                if packets is not None:
                    packets.append(packet)
                    if held_bytes > HELD_BYTES and can_seek:
                        packets = None

        self._packets = packets
        # Of H.264 and HEVC FFmpeg does not always know of B-frames before it decodes.
        may_reorder = codec.has_b_frames or codec.name in ('h264', 'hevc')
        guessed = self._container.format.name in _WITHOUT_ORDER and may_reorder
        stamps = None if None in pts else np.array(pts, dtype=np.int64)
        self._in_order = stamps is not None and not (guessed and (np.diff(stamps) > 0).all())
        self._is_key = np.array(keys, dtype=bool)
        visible = np.array(shown, dtype=bool)
        order = np.arange(len(keys))
        if stamps is not None and self._in_order and keys:
            # Frames shown before the first key frame refer to what the file does not hold.
            visible &= stamps >= stamps[0]
            order = np.argsort(stamps, kind='stable')
        self._position = order[visible[order]]
        self.total_frames = len(self._position)
        self._rank = np.full(len(keys), -1, dtype=np.int64)
        self._rank[self._position] = np.arange(self.total_frames)
        self._is_key &= visible
        self._dts, self._places = dts, places
        if self.total_frames == 0:
            raise self._broken('has no frames')
        if packets is not None and self._in_order:
            for packet, rank in zip(packets, self._rank.tolist()):
                packet.pts = rank

    def _set_deblocking(self, deblock: bool) -> None:
        """Decode with the smoothing of block edges from now on, or without."""
        if self._stream.codec_context.is_open:  # it takes no options any more
            with self._reported('cannot be opened'):
                container = _open(self.filename)
            self._container.close()
            self._container, self._deblocks = container, deblock
            self._index()
        else:
            self._deblocks = deblock
            self._set_options()

    def _set_options(self) -> None:
        # Hold frames back until their order is sure, also where the stream does not say how long.
        options = {'strict': '1'} if self._deblocks else {'strict': '1', 'skip_loop_filter': 'all'}
        self._stream.codec_context.options = options

    def _runs(self, wanted: set[int]) -> list[tuple[int, int, set[int]]]:
        """Stretches of packets to decode, (start, stop, packets needed), without overlap."""
        keys = np.flatnonzero(self._is_key)
        key_ranks = self._rank[keys]
        runs: list[tuple[int, int, set[int]]] = []
        for position in sorted(int(self._position[index]) for index in wanted):
            # A frame decoded after a key frame and shown before it may refer to frames before
            # the key frame: the start must come first in both orders.
            before = keys[(keys <= position) & (key_ranks <= self._rank[position])]
            start = int(before[-1]) if len(before) else 0
            if runs and start < runs[-1][1]:
                runs[-1][2].add(position)
                runs[-1] = (min(start, runs[-1][0]), position + 1, runs[-1][2])
            else:
                runs.append((start, position + 1, {position}))
        return runs

    def _decode(self, start, stop, needed, keep, count=False) -> None:
        """Decode packets start to stop - 1 and hand out their frames.

        Of packets that are not in ``needed`` those that others do not refer to are left out; an
        empty ``needed`` leaves out none.
        """
        codec = self._stream.codec_context
        shown = 0
        skipping = False
        try:
            for position, packet in self._packets_between(start, stop):
                skip = self._can_skip and bool(needed) and position not in needed
                if skip != skipping:
                    codec.skip_frame = 'NONREF' if skip else 'DEFAULT'
                    skipping = skip
                for frame in codec.decode(packet):
                    keep(shown if count else frame.pts, frame)
                    shown += 1
            codec.skip_frame = 'DEFAULT'
            for frame in codec.decode(None):
                keep(shown if count else frame.pts, frame)
                shown += 1
        finally:
            codec.flush_buffers()

    def _packets_between(self, start: int, stop: int) -> Iterator[tuple[int, av.Packet]]:
        """Packets start to stop - 1 with their positions, from memory or from the file."""
        if self._packets is not None:
            yield from enumerate(self._packets[start:stop], start)
            return
        # Not by time stamps: FFmpeg guesses those of decoding, anew after seeking.
        positions = {place: position for position, place in enumerate(self._places)}
        self._container.seek(self._dts[start], stream=self._stream)
        for packet in self._container.demux(self._stream):
            position = positions.get(packet.pos, -1)
            if position >= stop:
                break
            if position >= start:
                packet.pts = int(self._rank[position])
                yield position, packet


def _open(filename: str) -> Any:
    """Open a file without decoding frames, as FFmpeg does to guess what a header lacks.

    Where the header is not enough, as in a transport stream, the file is examined in full.
    """
    source = video_source(filename)
    options = {'skip_frame': 'all', 'analyzeduration': '1', **FILES_ALONE}
    container = av.open(source, options=options, metadata_errors='replace')
    streams = container.streams.video
    if streams and streams[0].codec_context is not None and streams[0].codec_context.width > 0:
        return container
    container.close()
    if isinstance(source, io.BytesIO):
        source.seek(0)
    return av.open(source, options=FILES_ALONE, metadata_errors='replace')


class _Converter:
    """Converts decoded frames to RGB arrays, scaled; keeps swscale's tables between frames.

    The sizes that frames came in, (width, height), are added to ``sizes``.
    """

    def __init__(self, short_side: int | None, sizes: set[tuple[int, int]]) -> None:
        self.short_side = short_side
        self.sizes = sizes
        self._scaler = VideoReformatter()
        self._painter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """RGB, uint8 (H, W, 3), upright."""
        self.sizes.add((frame.width, frame.height))
        short_side = min(frame.width, frame.height)
        scale = 1 if self.short_side is None else self.short_side / short_side
        width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
        # AREA averages where it scales down: fine texture does not alias, and it is quick.
        options = {'width': width, 'height': height, 'interpolation': 'AREA', **_REFORMAT_OPTIONS}
        if frame.format.name in ('yuv420p', 'yuvj420p'):
            # Scaling before the conversion to RGB has half as many numbers to average.
            frame = self._scaler.reformat(frame, **options)
        array = self._painter.reformat(frame, format='rgb24', **options).to_ndarray()
        placed = frame.side_data.get(SideData.DISPLAYMATRIX)
        return array if placed is None else _upright(array, np.frombuffer(placed, np.int32))


def _upright(array: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turn and mirror a frame (H, W, 3) as a display matrix asks, by quarters of a turn.

    A place (x, y) is shown at (a x + c y, b x + d y), ``matrix`` being (a, b, _, c, d, ...).
    """
    a, b, c, d = matrix[[0, 1, 3, 4]].tolist()
    if abs(b) > abs(a):  # lines become columns
        array, a, d = array.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(array[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
