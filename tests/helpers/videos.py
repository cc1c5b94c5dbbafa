"""Videos of every kind, small, each frame of which carries its index."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial, wraps
from pathlib import Path
from typing import Any

import av
import numpy as np

from mmact_ssl.io.files import read_arrays

NUM_BITS = 10
NUM_FRAMES = 30  # of each of the cases

Packets = list[av.Packet]


def index_image(index: int, width: int, height: int) -> np.ndarray:
    """A picture that carries its index, uint8 (H, W, 3).

    The upper half are ``NUM_BITS`` columns, white or black as the bits of the index, the lower half
    a colored slope that moves with it.
    """
    image = np.zeros((height, width, 3), np.uint8)
    columns = np.arange(width) * NUM_BITS // width
    image[: height // 2] = np.where(index >> columns & 1, 255, 0)[None, :, None]
    x, y = np.meshgrid(np.arange(width), np.arange(height - height // 2))
    slope = [128 + 100 * np.sin((x + 3 * index) / 17), 2 * y + 40, 128 + 90 * np.cos(x / 23)]
    image[height // 2 :] = np.clip(np.stack(slope, axis=-1), 0, 255).astype(np.uint8)
    return image


def index_of(image: np.ndarray) -> int:
    """The index that a picture of ``index_image`` carries, at any size."""
    height, width = image.shape[:2]
    centers = ((np.arange(NUM_BITS) + 0.5) * width / NUM_BITS).astype(int)
    return int(((image[height // 4, centers].mean(axis=-1) > 128) << np.arange(NUM_BITS)).sum())


def once(write: Callable[..., Path]) -> Callable[..., Path]:
    """Have a file of the same kind and settings encoded once, and then copied."""
    made: dict[str, bytes] = {}

    @wraps(write)
    def copied(path: Path | str, *args: Any, **settings: Any) -> Path:
        path, kind = Path(path), f'{Path(path).suffix} {args} {settings}'
        if 'change' in settings:  # functions have no names
            return write(path, *args, **settings)
        if kind not in made:
            made[kind] = write(path, *args, **settings).read_bytes()
        path.write_bytes(made[kind])
        return path

    return copied


@once
def write_video(
    path: Path | str,
    num_frames: int = 60,
    width: int = 160,
    height: int = 120,
    gop: int = 12,
    bframes: int = 3,
    codec: str = 'libx264',
    pix_fmt: str = 'yuv420p',
    times: Sequence[int] | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    time_base: int = 600,
    change: Callable[[Packets], Packets] = lambda packets: packets,
    second: bool = False,
    skip: Sequence[int] = (),
    scenes: Sequence[int] = (),
    pixels: Fraction | None = None,
) -> Path:
    """Write a video of `index_image`s.

    Args:
        path: File to write; the ending chooses the container.
        gop: Frames from one key frame to the next.
        times: Time stamps of the frames in 1/600 s, rising; None: 25 frames a second.
        rotation: Degrees by which a player shall turn the picture.
        options: More options of the encoder.
        time_base: Steps of the encoder's clock in a second; 25 is the frame rate.
        change: Changes the packets before they are written.
        second: Write a second video stream too, larger and of other frames.
        skip: Indices that no frame has; its time is left out too.
        scenes: First frames of new scenes, whose lower half is the negative of the one before.
        pixels: Width of a pixel divided by its height.
    """
    if codec == 'libx264':
        options = {'bf': str(bframes), 'crf': '18', 'sc_threshold': '0', **(options or {})}
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, time_base)
        if pixels:
            stream.codec_context.sample_aspect_ratio = pixels
        streams = [stream]
        if second:
            streams.append(container.add_stream(codec, rate=25))
            streams[1].width, streams[1].height, streams[1].pix_fmt = 2 * width, 2 * height, pix_fmt
            streams[1].codec_context.time_base = Fraction(1, time_base)
        if rotation:
            stream.set_display_rotation(rotation)
        container.start_encoding()  # a file without frames has a header too
        for shift, stream in enumerate(streams):
            packets = []
            for index in range(num_frames):
                if index in skip:
                    continue
                image = index_image(index + 500 * shift, stream.width, stream.height)
                if sum(first <= index for first in scenes) % 2:
                    image[stream.height // 2 :] ^= 255
                frame = av.VideoFrame.from_ndarray(image, format='rgb24')
                frame.pts = 24 * index if times is None else times[index]
                frame.time_base = Fraction(1, 600)
                packets += stream.encode(frame)
            packets += stream.encode()
            container.mux(change(packets))
    return Path(path)


def write_sizes(path: Path, codec: str, sizes: Sequence[tuple[int, int]]) -> Path:
    """Write a stream whose frames change their size (width, height), 10 frames of each."""
    options = {'cpu-used': '8'} if codec.startswith('libvpx') else {}
    pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
    with av.open(str(path), 'w') as container:
        target = container.add_stream(codec, rate=25)
        target.width, target.height, target.pix_fmt = *sizes[0], pix_fmt
        target.codec_context.time_base = Fraction(1, 25)
        container.start_encoding()
        for part, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create(codec, 'w')
            encoder.width, encoder.height, encoder.pix_fmt = width, height, pix_fmt
            encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
            encoder.options = options
            packets: Packets = []
            for index in range(10 * part, 10 * part + 10):
                frame = av.VideoFrame.from_ndarray(index_image(index, width, height), 'rgb24')
                frame.pts, frame.time_base = index, Fraction(1, 25)
                packets += encoder.encode(frame)
            for packet in packets + encoder.encode(None):
                packet.stream = target
                container.mux(packet)
    return path


def write_fields(path: Path, num_frames: int = NUM_FRAMES) -> Path:
    """Write H.264 with a packet for each field: two packets a frame, samples as they are (I_PCM).

    No encoder of FFmpeg writes field pictures. Frames are 160 x 64; one in six can be decoded by
    itself.
    """
    width, height = 160, 64

    def unit(head: int, bits: str, samples: bytes = b'') -> bytes:
        bits += '1' if not samples else ''
        bits += '0' * (-len(bits) % 8)
        payload = int(bits, 2).to_bytes(len(bits) // 8, 'big') + samples
        if samples:
            payload += b'\x80'
        escaped, zeros = bytearray(), 0
        for byte in payload:
            if zeros == 2 and byte < 4:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b'\0\0\0\1' + bytes([head]) + bytes(escaped)

    def ue(number: int) -> str:
        bits = f'{number + 1:b}'
        return '0' * (len(bits) - 1) + bits

    sps = f'{77:08b}{0:08b}{30:08b}' + ue(0) + ue(0) + ue(2) + ue(1) + '0'
    sps += ue(width // 16 - 1) + ue(height // 32 - 1) + '0' + '0' + '1' + '0' + '0'
    pps = ue(0) + ue(0) + '00' + ue(0) + ue(0) + ue(0) + '000' + ue(0) * 3 + '100'
    stream = b''
    for index in range(num_frames):
        image = index_image(index, width, height)
        yuv = av.VideoFrame.from_ndarray(image, format='rgb24').reformat(format='yuv420p')
        planes = yuv.to_ndarray().clip(1)
        luma = planes[:height]
        chroma = planes[height:].reshape(2, height // 2, width // 2)
        if index % 6 == 0:
            stream += unit(0x67, sps) + unit(0x68, pps)
        for field in range(2):
            is_idr = index % 6 == 0 and field == 0
            head = ue(0) + ue(7) + ue(0) + f'{index % 6:04b}' + '1' + str(field)
            head += (ue(index // 6 % 2) + '00' if is_idr else '0') + ue(0) + ue(1)
            blocks = [
                luma[field::2][y * 16 : y * 16 + 16, x * 16 : x * 16 + 16].tobytes()
                + chroma[:, field::2][:, y * 8 : y * 8 + 8, x * 8 : x * 8 + 8].tobytes()
                for y in range(height // 32)
                for x in range(width // 16)
            ]
            first = head + ue(25)
            kind = int(ue(25).ljust(16, '0'), 2).to_bytes(2, 'big')  # of each further block
            stream += unit(0x65 if is_idr else 0x61, first, kind.join(blocks))
    raw = path.with_suffix('.264')
    raw.write_bytes(stream)
    with av.open(str(raw), format='h264') as source, av.open(str(path), 'w') as container:
        target = container.add_stream_from_template(source.streams.video[0])
        for count, packet in enumerate(p for p in source.demux(video=0) if p.size):
            packet.pts = packet.dts = count
            packet.time_base = Fraction(1, 50)
            packet.stream = target
            container.mux(packet)
    raw.unlink()
    return path


def write_edited(path: Path, edits: Sequence[tuple[int, int]], **settings: Any) -> Path:
    """Write a video whose container shows parts of it, (first frame, frames) each."""
    content = write_video(path, **settings).read_bytes()
    head = content[: content.index(b'moov') - 4]
    moov = content[len(head) :]
    media_scale = struct.unpack('>I', moov[moov.index(b'mdhd') + 16 :][:4])[0]
    scale = struct.unpack('>I', moov[moov.index(b'mvhd') + 16 :][:4])[0]
    shift = struct.unpack('>i', moov[moov.index(b'elst') + 16 :][:4])[0]  # of the first frame
    entries = [
        struct.pack('>IiI', count * scale // 25, shift + first * media_scale // 25, 1 << 16)
        for first, count in edits
    ]
    box = struct.pack('>I4sII', 16 + 12 * len(entries), b'elst', 0, len(entries))
    box += b''.join(entries)
    place = moov.index(b'elst') - 4
    old = struct.unpack('>I', moov[place : place + 4])[0]
    moov = bytearray(moov[:place] + box + moov[place + old :])
    for name in (b'moov', b'trak', b'edts'):
        at = moov.index(name) - 4
        size = struct.unpack('>I', moov[at : at + 4])[0] + len(box) - old
        moov[at : at + 4] = struct.pack('>I', size)
    path.write_bytes(head + moov)
    return path


def cut(packets: Packets, before: int = 0) -> Packets:
    """Leave out the packets before the second key packet, all but ``before`` of them."""
    keys = [place for place, packet in enumerate(packets) if packet.is_keyframe]
    return packets[keys[1] - before :]


headless = partial(cut, before=5)


def hide(packets: Packets) -> Packets:
    """Have each fifth frame of VP8 not be shown, by the bit in its header."""
    for packet in packets[2::5]:
        data = bytearray(bytes(packet))
        data[0] &= ~0x10
        packet.update(bytes(data))
    return packets


def _codecs() -> dict[str, tuple[dict[str, Any], tuple[str, ...]]]:
    """For each codec its encoder's settings, and the containers that take it."""
    av1 = {'codec': 'libaom-av1', 'options': {'cpu-used': '8', 'usage': 'realtime'}}
    if 'libsvtav1' in av.codecs_available:
        av1 = {'codec': 'libsvtav1', 'options': {'preset': '12'}}
    libvpx = {'cpu-used': '8', 'b': '400000', 'lag-in-frames': '16', 'auto-alt-ref': '1'}
    b, no_b = (
        {'preset': 'ultrafast', 'x265-params': f'log-level=none:bframes={count}:pools=none'}
        for count in (3, 0)
    )
    x265 = {'codec': 'libx265', 'options': b}
    mpeg4 = {'codec': 'mpeg4', 'time_base': 25}
    mpeg2 = {'codec': 'mpeg2video', 'time_base': 25}
    usual = ('mp4', 'mkv', 'avi', 'mov', 'ts')
    return {
        'h264': ({}, usual),
        'h264_no_b': ({'bframes': 0}, usual),
        'hevc': (x265, ('mp4', 'mkv', 'mov', 'ts')),
        'hevc_no_b': ({**x265, 'options': no_b}, ('mp4', 'mkv', 'mov', 'ts')),
        'vp8': ({'codec': 'libvpx', 'options': libvpx}, ('webm', 'mkv', 'avi')),
        'vp9': ({'codec': 'libvpx-vp9', 'options': libvpx}, ('webm', 'mp4', 'mkv', 'avi')),
        'av1': (av1, ('mp4', 'mkv', 'webm', 'avi')),
        'mpeg4': ({**mpeg4, 'options': {'bf': '2', 'b': '900000'}}, usual),
        'mpeg4_no_b': ({**mpeg4, 'options': {'b': '900000'}}, usual),
        'mpeg2': ({**mpeg2, 'options': {'bf': '2', 'b': '900000'}}, (*usual, 'mpg')),
        'mpeg2_no_b': ({**mpeg2, 'options': {'b': '900000'}}, (*usual, 'mpg')),
        'mjpeg': ({'codec': 'mjpeg', 'pix_fmt': 'yuvj420p', 'time_base': 25}, usual[:4]),
        'prores': ({'codec': 'prores_ks', 'pix_fmt': 'yuv422p10le'}, ('mov', 'mkv')),
        'ffv1': ({'codec': 'ffv1', 'time_base': 25}, ('mkv', 'avi', 'mp4')),
        'gif': ({'codec': 'gif', 'pix_fmt': 'rgb8', 'time_base': 100}, ('gif', 'mov')),
    }


def video_cases() -> dict[str, Callable[[Path], Path]]:
    """For each kind of video its file name, and what writes it to a path of that name's suffix.

    All codecs and containers that PyAV writes, with and without B-frames; then open groups of
    pictures, heads cut off, edit lists, variable rate, fields, changes of size, two streams.
    """
    cases: dict[str, Callable[[Path], Path]] = {}

    def add(name: str, make: Callable[..., Path] = write_video, **settings: Any) -> None:
        if make is not write_sizes and make is not write_fields:
            settings = {'num_frames': NUM_FRAMES, **settings}
        cases[name] = partial(make, **settings)

    codecs = _codecs()
    for codec, (settings, suffixes) in codecs.items():
        for suffix in suffixes:
            # AVI counts its frames in steps of the clock, and writes empty ones for the others.
            clock = {'time_base': 25} if suffix == 'avi' else {}
            add(f'{codec}.{suffix}', **{**settings, **clock})

    x264_open = {'options': {'x264-params': 'open-gop=1:b-adapt=0'}}
    x265_open = {'codec': 'libx265', 'options': dict(codecs['hevc'][0]['options'])}
    x265_open['options']['x265-params'] += ':open-gop=1:keyint=10:min-keyint=10'
    x264_ts = {'options': {'x264-params': 'open-gop=1:b-adapt=0', 'flags': '-global_header'}}
    mpeg2, mpeg4 = codecs['mpeg2'][0], codecs['mpeg4'][0]
    for name, settings in {'h264': x264_open, 'hevc': x265_open, 'mpeg2': mpeg2}.items():
        for suffix in ('mp4', 'mkv', 'ts'):
            settings = x264_ts if (name, suffix) == ('h264', 'ts') else settings
            add(f'{name}_open.{suffix}', **settings)
            add(f'{name}_open_cut.{suffix}', **settings, change=cut)
            add(f'{name}_open_headless.{suffix}', **settings, change=headless)
    add('h264_open.avi', **x264_open, time_base=25)
    add('h264_cut.mkv', change=cut)
    add('mpeg4_cut.mkv', **mpeg4, change=cut)
    add('mpeg4_headless.mkv', **mpeg4, change=headless)
    for name in ('vp8_cut.mkv', 'vp9_cut.webm', 'av1_cut.mkv'):
        add(name, **codecs[name[:3]][0], change=cut)
    add('h264_refresh.mp4', bframes=0, gop=15, options={'intra-refresh': '1'})
    add('h264_refresh_cut.mkv', bframes=0, gop=10, options={'intra-refresh': '1'}, change=cut)
    # Pictures of type I at which no decoder can start.
    add('h264_scenes.mp4', gop=250, scenes=(7, 19), options={'x264-params': 'scenecut=400'})
    add('h264_edit.mp4', write_edited, edits=[(17, 9)])
    add('hevc_edit.mp4', write_edited, edits=[(17, 9)], **codecs['hevc'][0])
    add('h264_edits.mp4', write_edited, edits=[(15, 6), (2, 5)])
    uneven = np.cumsum(np.arange(NUM_FRAMES) % 5 * 60 + 24).tolist()
    add('vp9_variable.webm', **codecs['vp9'][0], times=uneven)
    add('gif_variable.gif', **codecs['gif'][0], times=uneven)
    add('h264_variable.mp4', times=np.cumsum(np.arange(NUM_FRAMES) % 7 * 11 + 6).tolist())
    add('h264_variable.mkv', times=np.cumsum(np.arange(NUM_FRAMES) % 7 * 12 + 6).tolist())
    add('h264_gaps.avi', time_base=25, skip=(7, 8, 20, 21, 22))
    add('h264_gaps.ts', skip=(7, 8, 20, 21, 22))
    add('h264_fields.mp4', write_fields)
    add('h264_fields.mkv', write_fields)
    add('h264_fields.ts', write_fields)
    add('h264_interlaced.mp4', options={'flags': '+ildct+ilme'})
    add('mpeg2_interlaced.ts', **{**mpeg2, 'options': {'flags': '+ildct+ilme', 'bf': '2'}})
    add('vp8_hidden.webm', **codecs['vp8'][0], change=hide)
    add('vp8_hidden.mkv', **codecs['vp8'][0], change=hide)
    sizes = ((160, 120), (224, 128), (96, 96))
    for name, codec in {
        'h264.ts': 'libx264',
        'mpeg2.ts': 'mpeg2video',
        'mpeg4.mkv': 'mpeg4',
        'vp8.webm': 'libvpx',
        'vp9.webm': 'libvpx-vp9',
        'mjpeg.mkv': 'mjpeg',
    }.items():
        kind, suffix = name.split('.')
        add(f'{kind}_sizes.{suffix}', write_sizes, codec=codec, sizes=sizes)
    add('h264_two.mp4', second=True)
    add('h264_two.mkv', second=True)
    add('raw.h264')
    add('raw_no_b.h264', bframes=0)
    return cases


def read_poses(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Layout, and the poses ``(T, V, 3)`` of each video, that a preparation has written."""
    table = read_arrays(path, 'prepare it again')
    parts = np.split(table['keypoints'], np.cumsum(table['lengths'])[:-1])
    return str(table['layout']), dict(zip(table['names'].tolist(), parts))
