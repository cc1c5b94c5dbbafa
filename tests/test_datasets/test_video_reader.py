"""VideoReader: exact frames, whatever the file is like."""

from __future__ import annotations

import itertools
import os
import pickle
import struct
from functools import partial
from typing import NamedTuple

import av
import cv2
import numpy as np
import pytest

from mmact_ssl.datasets import video_reader
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.preparation.files import probe_video
from tests.helpers.videos import index_of, video_cases, write_video

# Files that ask for more than the cases do, beside their own.
KINDS = {
    'long_gop.mp4': {'gop': 250},
    'short_gop.mp4': {'gop': 12},
    # Other units come before a picture's first slice.
    'slices.mp4': {'options': {'x264-params': 'aud=1:slices=4'}},
    'only_key_frames.mp4': {'gop': 1},
    'reordered.avi': {},
    'reordered.wmv': {},
    'reordered.mxf': {
        'time_base': 25,
        'codec': 'mpeg2video',
        'options': {'bf': '2', 'b': '4000000'},
    },
    'open_gop.mp4': {'options': {'x264-params': 'open-gop=1'}},
    'mpeg4.mkv': {'codec': 'mpeg4', 'gop': 12, 'options': {'bf': '2', 'b': '2000000'}},
}
CASES = {**video_cases(), **{name: partial(write_video, **KINDS[name]) for name in KINDS}}


class Decoded(NamedTuple):
    """Slow twin: what decoding a file plainly from its beginning gives, at full size."""

    images: list[np.ndarray]  # RGB, uint8 (H, W, 3)
    times: list[float | None]  # seconds
    keys: list[int]  # pictures of type I


def decode_all(path) -> Decoded:
    """Decode a file; a head that refers to what the file does not hold is left out."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    if 'headless' in str(path):  # FFmpeg shows some codecs' first frames gray, without a picture
        frames = list(itertools.dropwhile(lambda frame: int(frame.pict_type) != 1, frames))
    return Decoded(
        [frame.to_ndarray(format='rgb24') for frame in frames],
        [frame.time for frame in frames],
        [index for index, frame in enumerate(frames) if int(frame.pict_type) == 1],
    )


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('videos')
    made = {}

    def get(name):
        if name not in made:
            path = CASES[name](folder / name)
            made[name] = path, decode_all(path)
        return made[name]

    return get


@pytest.mark.parametrize('name', CASES)
def test_frames_times_and_key_frames_equal_a_decode_in_order(name, videos):
    path, expected = videos(name)
    total = len(expected.images)
    size = expected.images[0].shape
    rng = np.random.RandomState(len(name))
    with VideoReader(path) as reader:
        assert reader.total_frames == total
        for count in (1, 1, 4, 8, total):  # a reader can be asked again
            wanted = rng.choice(total, min(count, total), replace=False).tolist()
            frames = reader.read(wanted)
            assert sorted(frames) == sorted(wanted)
            for index, frame in frames.items():
                if expected.images[index].shape == size:
                    np.testing.assert_array_equal(frame, expected.images[index])
                else:
                    assert frame.shape == size and index_of(frame) == index_of(
                        expected.images[index]
                    )
        if expected.keys:
            assert reader.keyframes_near(total // 2, 99).tolist() == expected.keys
        check_times(name, reader, expected.times)


def check_times(name, reader, times):
    """The seconds of a reader are the times of a decode, from the first on."""
    assert reader.seconds.dtype == np.float64 and reader.seconds[0] == 0
    if None in times or len(set(times)) < len(times):
        assert reader.seconds == pytest.approx(np.arange(len(times)) / 25)
    else:
        # AVI has times of decoding: frame k is shown at the k-th of them.
        times = np.sort(times)
        assert reader.seconds == pytest.approx(times - times[0], abs=1e-6)
    assert reader.duration == pytest.approx(2 * reader.seconds[-1] - reader.seconds[-2])


def test_ordinary_files_are_not_decoded_to_be_opened(videos):
    """All whose packets are frames, in an order that the file tells."""
    decoded = set()
    for name in CASES:
        with VideoReader(videos(name)[0]) as reader:
            decoded |= {name} if reader._is_decoded else set()
    doubtful = {name for name in CASES if name.startswith(('mpeg2', 'h264_fields', 'raw'))}
    doubtful |= {name for name in CASES if 'open_cut' in name or 'headless' in name}
    doubtful |= {name for name in CASES if name.startswith('h264') and name.endswith('.avi')}
    doubtful |= {'h264_interlaced.mp4', 'h264_edits.mp4', 'h264_refresh_cut.mkv', 'hevc_edit.mp4'}
    doubtful |= {'mpeg4_cut.mkv', 'reordered.avi', 'reordered.wmv', 'reordered.mxf'}
    assert decoded <= doubtful


@pytest.mark.parametrize('name', CASES)
def test_a_large_file_is_read_again_by_seeking_or_held(name, videos, monkeypatch):
    monkeypatch.setattr(video_reader, 'HELD_BYTES', 0)
    path, expected = videos(name)
    total = len(expected.images)
    with VideoReader(path) as reader:
        sought = 'open_gop.mp4', 'mpeg4.mkv', 'reordered.mxf', 'h264_open_headless.mp4'
        assert reader._packets is None or name not in sought
        for wanted in ([total - 1], [total // 2, 2], [total // 4]):
            for index, frame in reader.read(wanted).items():
                assert index_of(frame) == index_of(expected.images[index])


@pytest.mark.parametrize(
    ('short_side', 'size'), [(64, (64, 85)), (33, (33, 44)), (180, (180, 240))]
)
def test_scaled_frames_are_near_the_area_average(short_side, size, videos):
    path, (expected, *_) = videos('long_gop.mp4')
    with VideoReader(path) as reader:
        for index, frame in reader.read([0, 7, 40], short_side).items():
            assert frame.shape == (*size, 3) and frame.dtype == np.uint8
            area = cv2.resize(expected[index], size[::-1], interpolation=cv2.INTER_AREA)
            # Two roundings, and color scaled before its conversion instead of after.
            assert np.abs(frame.astype(int) - area).mean() < 4


def test_key_frames_are_the_nearest_in_decoding_order(videos):
    path, _ = videos('short_gop.mp4')
    with VideoReader(path) as reader:
        assert reader.keyframes_near(40, 3).tolist() == [24, 36, 48]
        assert reader.keyframes_near(0, 2).tolist() == [0, 12]


def test_an_avi_whose_header_does_not_tell_that_frames_are_reordered(tmp_path):
    """Without decoding FFmpeg finds no B-frames where cuts and gaps come first."""
    path = tmp_path / 'cuts.avi'
    with av.open(str(path), 'w') as container:
        options = {'bf': '3', 'g': '12', 'x264-params': 'open-gop=1'}
        stream = container.add_stream('libx264', rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, 'yuv420p'
        stream.codec_context.max_b_frames, stream.codec_context.gop_size = 3, 12
        packets = []
        for index in sorted({*range(60)} - {7, 8, 20, 33, 34, 35}):
            image = np.zeros((96, 128, 3), np.uint8)
            for bit in range(6):
                image[10:50, 10 + 18 * bit : 26 + 18 * bit] = 255 * (index >> bit & 1)
            image[60:90] = 37 * index % 128
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts = index
            packets += stream.encode(frame)
        container.mux(packets + stream.encode())
    expected = decode_all(path).images
    with VideoReader(path) as reader:
        assert reader.total_frames == len(expected) == 54
        found = reader.read(range(54))
    assert all(np.array_equal(found[index], frame) for index, frame in enumerate(expected))


@pytest.mark.parametrize(
    ('name', 'codec', 'pix_fmt'),
    [('odd.mp4', 'libx264', 'yuv444p'), ('alpha.mov', 'png', 'rgba'), ('gray.mkv', 'ffv1', 'gray')],
)
def test_odd_sizes_alpha_and_gray(name, codec, pix_fmt, tmp_path, make_video):
    path = make_video(
        tmp_path / name, num_frames=9, width=161, height=121, codec=codec, pix_fmt=pix_fmt
    )
    with VideoReader(path) as reader:
        for short_side, shape in ((None, (121, 161, 3)), (60, (60, 80, 3))):
            frames = reader.read(range(9), short_side)
            assert {frame.shape for frame in frames.values()} == {shape}
            assert [index_of(frames[i]) for i in range(9)] == list(range(9))


@pytest.mark.parametrize('matrix', list(itertools.product((1, -1), (1, -1), (False, True))))
def test_every_quarter_turn_and_mirroring_is_applied(matrix, tmp_path, make_video):
    """By its definition: the pixel of column x and line y is shown where the matrix puts it."""
    across, down, turned = matrix
    a, b, c, d = (0, down, across, 0) if turned else (across, 0, 0, down)
    path = make_video(tmp_path / 'a.mp4', num_frames=2, width=48, height=32)
    stored = decode_all(path).images[1]
    content = bytearray(path.read_bytes())
    place = content.index(b'tkhd') + 44
    numbers = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    content[place : place + 36] = struct.pack('>9i', *numbers)
    path.write_bytes(content)
    height, width = stored.shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    column, line = a * x + c * y, b * x + d * y
    shown = np.zeros((width, height, 3) if turned else stored.shape, np.uint8)
    shown[line - line.min(), column - column.min()] = stored
    with VideoReader(path) as reader:
        np.testing.assert_array_equal(reader.read([1])[1], shown)
        assert reader.read([1], short_side=16)[1].shape == ((24, 16, 3) if turned else (16, 24, 3))


def test_the_size_is_the_first_frames_where_the_container_errs(tmp_path):
    path = write_video(tmp_path / 'a.mkv', num_frames=6, codec='mjpeg', pix_fmt='yuvj420p')
    content = path.read_bytes()
    width, height = b'\xb0\x81\xa0', b'\xba\x81\x78'
    assert width in content and height in content
    path.write_bytes(content.replace(width, b'\xb0\x81\x50').replace(height, b'\xba\x81\x3c'))
    with VideoReader(path) as reader:
        np.testing.assert_array_equal(reader.read([4])[4], decode_all(path).images[4])


def test_files_without_frames_are_broken(tmp_path, make_video):
    text = tmp_path / 'text.mp4'
    text.write_text('not a video' * 100)
    empty = tmp_path / 'empty.mp4'
    empty.touch()
    whole = make_video(tmp_path / 'whole.mp4').read_bytes()
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(whole[: len(whole) // 2])
    no_frames = make_video(tmp_path / 'no_frames.mp4', num_frames=0)
    link = tmp_path / 'link.mp4'
    link.symlink_to(tmp_path / 'gone.mp4')
    os.mkfifo(tmp_path / 'pipe.mp4')
    others = (tmp_path / 'pipe.mp4', tmp_path / 'missing.mp4')
    for path in (text, empty, cut, no_frames, link, *others):
        with pytest.raises(BrokenSampleError) as error:
            VideoReader(path)
        assert error.value.filename == str(path)
        assert '\n' not in str(error.value)
        assert ('gone.mp4, which is gone: prepare' in str(error.value)) == (path == link)


def test_damaged_pictures_are_broken(tmp_path, make_video):
    path = make_video(tmp_path / 'damaged.mp4', gop=250)
    data = bytearray(path.read_bytes())
    start = data.index(b'mdat') + 3000
    data[start : start + 6000] = bytes(6000)
    path.write_bytes(data)
    with VideoReader(path) as reader, pytest.raises(BrokenSampleError, match=r'damaged\.mp4'):
        reader.read(range(60))


def test_the_error_crosses_processes():
    error = pickle.loads(pickle.dumps(BrokenSampleError('a.mp4', 'is odd')))
    assert (error.filename, error.reason, str(error)) == ('a.mp4', 'is odd', 'a.mp4: is odd')


def test_a_name_with_a_colon_is_a_file(make_video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / '2023-05-01T10:30:00.mp4', num_frames=9)
    with VideoReader('2023-05-01T10:30:00.mp4') as reader:
        assert reader.total_frames == 9
    assert probe_video('2023-05-01T10:30:00.mp4') == ''
