"""Pixels as a player shows them: colors, pixels that are not square, covers, and bounds."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.preparation.files import probe_video
from tests.helpers.videos import index_of, video_cases, write_video

PATCHES = np.array(
    [
        *([255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128]),
        *([200, 100, 50], [30, 90, 220], [250, 220, 60]),
    ]
)
# Shares of red and blue in the brightness, by ITU-R BT.709, BT.601 and BT.2020.
MATRICES = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
# Number of the tag by ITU-T H.273 (2: none), the matrix that a player then takes, width and height.
TAGS = [
    *((1, 1, 288, 32), (5, 6, 288, 32), (6, 6, 288, 32), (9, 9, 288, 32), (10, 9, 288, 32)),
    *((2, 6, 288, 32), (3, 6, 288, 32), (2, 6, 720, 576), (2, 1, 1296, 96), (2, 1, 288, 578)),
    *((6, 6, 288, 720), (3, 1, 288, 720)),
]


def write_patches(path, matrix, is_full, bits, size, filters):
    """Write a frame of colored columns, in YUV by the matrix's definition."""
    red, blue = MATRICES[matrix]
    r, g, b = PATCHES.T / 255
    y = red * r + (1 - red - blue) * g + blue * b
    unit, top = 1 << bits - 8, (1 << bits) - 1
    black, luma, chroma = (0, top, top) if is_full else (16 * unit, 219 * unit, 224 * unit)
    planes = [black + luma * y]
    planes += [128 * unit + chroma * (c - y) / (2 - 2 * w) for c, w in ((b, blue), (r, red))]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25, options={'crf': '1', 'bf': '0'})
        stream.width, stream.height = size
        stream.pix_fmt = 'yuv420p' if bits == 8 else 'yuv420p10le'
        container.start_encoding()
        tags = av.BitStreamFilterContext(filters, stream)
        frame = av.VideoFrame(*size, stream.pix_fmt)
        for plane, colors in zip(frame.planes, planes):
            columns = np.arange(plane.width) * len(PATCHES) // plane.width
            line = colors.round().clip(0, top)[columns].astype('u1' if bits == 8 else '<u2')
            plane.update(line.tobytes().ljust(plane.line_size, b'\0') * plane.height)
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(tags.filter(packet))


@pytest.mark.parametrize('is_full', [False, True])
@pytest.mark.parametrize('bits', [8, 10])
@pytest.mark.parametrize(('tag', 'matrix', 'width', 'height'), TAGS)
def test_colors_are_those_of_a_player(tag, matrix, width, height, bits, is_full, tmp_path):
    # A transfer function or primaries that nobody knows change nothing.
    filters = f'h264_metadata=matrix_coefficients={tag}:video_full_range_flag={is_full:d}'
    filters += ':transfer_characteristics=3:colour_primaries=3' if tag == 3 else ''
    path = tmp_path / 'a.h264'
    write_patches(path, matrix, is_full, bits, (width, height), filters)
    centers = (np.arange(len(PATCHES)) + 0.5) / len(PATCHES)
    with VideoReader(path) as reader:
        for short_side in (None, min(width, height) // 2):
            frame = reader.read([0], short_side)[0]
            found = frame[frame.shape[0] // 2, (centers * frame.shape[1]).astype(int)]
            np.testing.assert_allclose(found, PATCHES, atol=4)


CASES = video_cases()
STORED = [
    *(f'h264.{suffix}' for suffix in ('mp4', 'mov', 'mkv', 'avi', 'ts')),
    *(f'hevc.{suffix}' for suffix in ('mp4', 'mkv', 'ts')),
    *('mpeg4.mp4', 'mpeg4.avi', 'mpeg2.mpg', 'mpeg2.ts', 'mjpeg.avi', 'raw.h264'),
]


@pytest.mark.parametrize(
    ('name', 'rotation'), [*((name, 0) for name in STORED), ('h264.mp4', 90), ('hevc.mp4', 90)]
)
def test_pixels_become_square(name, rotation, tmp_path):
    path = tmp_path / name
    settings = dict(num_frames=4, width=180, height=144, pixels=Fraction(64, 45))
    if name == 'h264.ts':  # 170 x 128 of 4:3, as FFmpeg scales it, is not scaled again
        write_video(path, num_frames=1, width=170, height=128, pixels=Fraction(256, 255))
        with VideoReader(path) as reader:
            assert reader.read([0])[0].shape == (128, 170, 3)
    CASES[name](path, **settings, rotation=rotation)
    with VideoReader(path) as reader:
        for short_side, size in ((None, (144, 256)), (72, (72, 128))):
            frame = reader.read([2], short_side)[2]
            assert frame.shape[:2] == (size[::-1] if rotation else size)
            assert index_of(np.rot90(frame, -1) if rotation else frame) == 2


@pytest.mark.parametrize(
    ('suffix', 'is_marked', 'has_video'),
    [
        *((suffix, False, True) for suffix in ('mp4', 'mov', 'mkv', 'avi', 'ts')),
        *((suffix, True, has_video) for suffix in ('mp4', 'mov') for has_video in (True, False)),
    ],
)
def test_a_cover_is_not_a_video(suffix, is_marked, has_video, tmp_path):
    path = tmp_path / f'a.{suffix}'
    with av.open(str(path), 'w') as container:
        streams = [container.add_stream('mjpeg', rate=25)]
        streams[0].width, streams[0].height, streams[0].pix_fmt = 80, 80, 'yuvj420p'
        if is_marked:
            streams[0].disposition = Disposition.attached_pic
        if has_video:
            streams.append(container.add_stream('libx264', rate=25))
            streams[1].width, streams[1].height, streams[1].pix_fmt = 64, 48, 'yuv420p'
        for stream, count in zip(streams, (1, 12)):
            for index in range(count):
                image = np.full((stream.height, stream.width, 3), 20 * index, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format='rgb24')
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    if has_video:
        assert probe_video(path) == ''
        with VideoReader(path) as reader:
            assert reader.total_frames == 12 and reader.read([5])[5].shape == (48, 64, 3)
    else:
        assert probe_video(path) == 'does not open: has no video stream'
        with pytest.raises(BrokenSampleError, match=r'a\.\w+: has no video stream$'):
            VideoReader(path)


@pytest.mark.parametrize(
    ('width', 'height', 'pixels', 'shown'),
    [(1604, 2, 1, '1604 x 2'), (2, 1604, 1, '2 x 1604'), (64, 48, 13, '832 x 48')],
)
def test_frames_that_would_fill_the_memory_are_one_line(width, height, pixels, shown, tmp_path):
    settings = dict(num_frames=3, width=width, height=height, pixels=Fraction(pixels))
    path = write_video(tmp_path / 'a.mp4', **settings)
    with VideoReader(path) as reader:
        for short_side in (None, 128):
            with pytest.raises(BrokenSampleError, match=rf'a\.mp4: its frames are {shown} pixels'):
                reader.read(range(3), short_side)
