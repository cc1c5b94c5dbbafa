"""VideoReader: exact frames, whatever the file is like."""

from __future__ import annotations

import itertools
import pickle
import struct

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.datasets import video_reader
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError
from mmact_ssl.preparation.files import probe_video

KINDS = {
    'long_gop.mp4': {'gop': 250},
    'short_gop.mp4': {'gop': 12},
    'no_b_frames.mp4': {'bframes': 0},
    # Other units come before a picture's first slice.
    'slices.mp4': {'options': {'x264-params': 'aud=1:slices=4'}},
    'open_gop.mp4': {'options': {'x264-params': 'open-gop=1'}},
    'intra_refresh.mp4': {'gop': 20, 'bframes': 0, 'options': {'intra-refresh': '1'}},
    'only_key_frames.mp4': {'gop': 1},
    'time_stamps_absent.avi': {'bframes': 0},
    'reordered.avi': {},
    'reordered.wmv': {},
    'reordered.mxf': {
        'time_base': 25,
        'codec': 'mpeg2video',
        'options': {'bf': '2', 'b': '4000000'},
    },
    'raw_stream.h264': {},
    'matroska.mkv': {},
    'transport_stream.ts': {},
    'mpeg4.mp4': {'codec': 'mpeg4', 'options': {'bf': '2', 'b': '2000000'}},
    'mpeg4.mkv': {'codec': 'mpeg4', 'gop': 12, 'options': {'bf': '2', 'b': '2000000'}},
    'hevc.mp4': {'codec': 'libx265', 'options': {'x265-params': 'log-level=none'}},
    'vp9.webm': {'codec': 'libvpx-vp9', 'options': {'cpu-used': '8', 'b': '1000000'}},
    'variable_rate.mp4': {'times': np.cumsum(np.arange(60) % 7 * 11 + 1).tolist()},
}


def decode_all(path):
    """Slow twin: every frame, decoded plainly from the beginning, at full size."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]


@pytest.fixture(scope='module')
def videos(tmp_path_factory, make_video):
    folder = tmp_path_factory.mktemp('videos')
    paths = {}

    def get(name):
        if name not in paths:
            path = make_video(folder / name, **KINDS[name])
            paths[name] = path, decode_all(path)
        return paths[name]

    return get


@pytest.mark.parametrize('name', KINDS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_frames_equal_a_full_decode(name, videos, data):
    path, expected = videos(name)
    with VideoReader(path) as reader:
        assert reader.total_frames == len(expected) == 60
        for _ in range(2):  # a reader can be asked twice
            wanted = data.draw(st.lists(st.integers(0, 59), min_size=1, max_size=12))
            frames = reader.read(wanted)
            assert set(frames) == set(wanted)
            for index, frame in frames.items():
                np.testing.assert_array_equal(frame, expected[index])


@pytest.mark.parametrize(
    'name', ['short_gop.mp4', 'open_gop.mp4', 'mpeg4.mkv', 'reordered.avi', 'reordered.mxf']
)
def test_a_large_file_is_read_again_by_seeking(name, videos, monkeypatch, read_index):
    monkeypatch.setattr(video_reader, 'HELD_BYTES', 0)
    path, _ = videos(name)
    with VideoReader(path) as reader:
        assert reader._packets is None
        for wanted in ([59], [30, 31, 2], range(60), [13]):
            assert {i: read_index(f) for i, f in reader.read(wanted).items()} == {
                i: i for i in wanted
            }


@pytest.mark.parametrize(
    ('short_side', 'size'), [(64, (64, 85)), (33, (33, 44)), (180, (180, 240))]
)
def test_scaled_frames_are_near_the_area_average(short_side, size, videos):
    path, expected = videos('long_gop.mp4')
    with VideoReader(path) as reader:
        for index, frame in reader.read([0, 7, 40], short_side).items():
            assert frame.shape == (*size, 3) and frame.dtype == np.uint8
            area = cv2.resize(expected[index], size[::-1], interpolation=cv2.INTER_AREA)
            # Two roundings, and color scaled before its conversion instead of after.
            assert np.abs(frame.astype(int) - area).mean() < 4


def test_key_frames_are_the_nearest_in_decoding_order(videos):
    path, _ = videos('short_gop.mp4')
    with av.open(str(path)) as container:
        kinds = [int(frame.pict_type) for frame in container.decode(video=0)]
    with VideoReader(path) as reader:
        assert reader.keyframes_near(40, 3).tolist() == [24, 36, 48]
        assert reader.keyframes_near(0, 2).tolist() == [0, 12]
        everything = reader.keyframes_near(59, 99)
    assert everything.tolist() == [0, 12, 24, 36, 48]
    assert {kinds[index] for index in everything} == {1}  # AV_PICTURE_TYPE_I


@pytest.mark.parametrize(
    'name',
    (
        *('long_gop.mp4', 'no_b_frames.mp4', 'slices.mp4', 'open_gop.mp4'),
        *('matroska.mkv', 'transport_stream.ts'),
    ),
)
def test_reference_frames_are_those_that_a_decoder_keeps(name, videos):
    path, expected = videos(name)
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.skip_frame = 'NONREF'
        kept = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    with VideoReader(path) as reader:
        marks = reader.is_reference
        assert len(marks) == 60 and marks.sum() == len(kept)
        assert marks.all() == (name == 'no_b_frames.mp4')
    for index, frame in zip(np.flatnonzero(marks), kept):
        np.testing.assert_array_equal(frame, expected[index])


@pytest.mark.parametrize('name', ['hevc.mp4', 'raw_stream.h264', 'reordered.avi', 'mpeg4.mp4'])
def test_all_are_reference_frames_where_it_is_unknown(name, videos):
    with VideoReader(videos(name)[0]) as reader:
        assert reader.is_reference.tolist() == [True] * 60


def test_all_are_reference_frames_of_a_file_that_is_not_held(videos, monkeypatch):
    monkeypatch.setattr(video_reader, 'HELD_BYTES', 0)
    with VideoReader(videos('short_gop.mp4')[0]) as reader:
        assert reader.is_reference.tolist() == [True] * 60


@pytest.mark.parametrize('name', ['long_gop.mp4', 'reordered.avi'])
@pytest.mark.parametrize('count', [0, 2])
def test_without_deblocking_frames_are_near(name, count, videos):
    path, expected = videos(name)
    with VideoReader(path) as reader:
        reader.keyframes_near(0, count) if count else None  # decodes the AVI file
        for deblock in (False, True, False):
            frames = reader.read([0, 33, 59], deblock=deblock)
            error = np.mean([np.abs(frames[i].astype(int) - expected[i]) for i in frames])
            # The error grows from the key frame on; slopes are what is smoothed most.
            assert error == 0 if deblock else 0 < error < 8


def test_a_file_that_is_gone_before_it_is_opened_again_is_broken(tmp_path, make_video):
    path = make_video(tmp_path / 'video.mp4')
    with VideoReader(path) as reader:
        reader.read([3])
        path.unlink()
        for _ in range(2):
            with pytest.raises(BrokenSampleError, match='cannot be opened'):
                reader.read([3], deblock=False)


@pytest.mark.parametrize('name', ['open.avi', 'open.mp4'])
def test_key_frames_of_open_groups_with_and_without_time_stamps(name, tmp_path):
    """AVI holds no order of display: B-frames are stored behind the key frame they precede."""
    path = str(tmp_path / name)
    with av.open(path, 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 12, 2
        for index in range(50):
            frame = np.full((48, 64, 3), 5 * index, np.uint8)
            frame[:, index : index + 4] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    with av.open(path) as container:
        frames = enumerate(container.decode(video=0))
        keys = np.array([index for index, frame in frames if frame.key_frame])
    nearest = sorted(keys[np.argsort(np.abs(keys - 20), kind='stable')[:3]])
    with VideoReader(path) as reader:
        assert reader.keyframes_near(20, 99).tolist() == keys.tolist()
        assert reader.keyframes_near(20, 3).tolist() == nearest


def test_frames_before_the_first_key_frame_do_not_count(tmp_path, make_video, read_index):
    path = make_video(tmp_path / 'late.mp4', drop_packets=5)
    with VideoReader(path) as reader:
        assert reader.total_frames == 60 - 12
        frames = reader.read(range(48))
    assert [read_index(frames[i]) for i in range(48)] == list(range(12, 60))


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
    expected = decode_all(path)
    with VideoReader(path) as reader:
        assert reader.total_frames == len(expected) == 54
        found = reader.read(range(54))
    assert all(np.array_equal(found[index], frame) for index, frame in enumerate(expected))


@pytest.mark.parametrize(
    ('name', 'codec', 'pix_fmt'),
    [('odd.mp4', 'libx264', 'yuv444p'), ('alpha.mov', 'png', 'rgba'), ('gray.mkv', 'ffv1', 'gray')],
)
def test_odd_sizes_alpha_and_gray(name, codec, pix_fmt, tmp_path, make_video, read_index):
    path = make_video(
        tmp_path / name, num_frames=9, width=161, height=121, codec=codec, pix_fmt=pix_fmt
    )
    with VideoReader(path) as reader:
        for short_side, shape in ((None, (121, 161, 3)), (60, (60, 80, 3))):
            frames = reader.read(range(9), short_side)
            assert {frame.shape for frame in frames.values()} == {shape}
            assert [read_index(frames[i]) for i in range(9)] == list(range(9))


def test_rotation_is_applied(tmp_path, make_video):
    path = make_video(tmp_path / 'turned.mp4', num_frames=3, rotation=90)
    with VideoReader(path) as reader:
        # A display matrix of +90 degrees turns the picture counter-clockwise.
        np.testing.assert_array_equal(reader.read([1])[1], np.rot90(decode_all(path)[1]))
        assert reader.read([1], short_side=60)[1].shape == (80, 60, 3)


@pytest.mark.parametrize('matrix', list(itertools.product((1, -1), (1, -1), (False, True))))
def test_every_quarter_turn_and_mirroring_is_applied(matrix, tmp_path, make_video):
    """By its definition: the pixel of column x and line y is shown where the matrix puts it."""
    across, down, turned = matrix
    a, b, c, d = (0, down, across, 0) if turned else (across, 0, 0, down)
    path = make_video(tmp_path / 'a.mp4', num_frames=2, width=48, height=32)
    stored = decode_all(path)[1]
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


def test_a_video_that_changes_its_size_is_broken(tmp_path, make_video):
    parts = [
        make_video(tmp_path / f'{width}.ts', num_frames=6, width=width, height=64).read_bytes()
        for width in (64, 112)
    ]
    path = tmp_path / 'both.ts'
    path.write_bytes(b''.join(parts))
    message = 'both.ts: its frames have several sizes'
    with VideoReader(path) as reader, pytest.raises(BrokenSampleError, match=message):
        reader.read(range(reader.total_frames))
    # Also of frames that are read one view after the other.
    with VideoReader(path) as reader, pytest.raises(BrokenSampleError, match=message):
        for index in range(reader.total_frames):
            reader.read([index])


def test_files_without_frames_are_broken(tmp_path, make_video):
    text = tmp_path / 'text.mp4'
    text.write_text('not a video' * 100)
    empty = tmp_path / 'empty.mp4'
    empty.touch()
    whole = make_video(tmp_path / 'whole.mp4').read_bytes()
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(whole[: len(whole) // 2])
    no_frames = make_video(tmp_path / 'no_frames.mp4', num_frames=0)
    for path in (text, empty, cut, no_frames, tmp_path / 'missing.mp4'):
        with pytest.raises(BrokenSampleError) as error:
            VideoReader(path)
        assert error.value.filename == str(path)
        assert '\n' not in str(error.value)


def test_damaged_pictures_are_broken(tmp_path, make_video):
    path = make_video(tmp_path / 'damaged.mp4', gop=250)
    data = bytearray(path.read_bytes())
    start = data.index(b'mdat') + 3000
    data[start : start + 6000] = bytes(6000)
    path.write_bytes(data)
    with VideoReader(path) as reader, pytest.raises(BrokenSampleError, match=r'damaged\.mp4'):
        reader.read(range(60))


def test_a_link_whose_target_is_gone_is_named(tmp_path):
    link = tmp_path / 'link.mp4'
    link.symlink_to(tmp_path / 'gone.mp4')
    with pytest.raises(BrokenSampleError, match=r'links to .*gone\.mp4, which is gone: prepare'):
        VideoReader(link)


def test_the_error_crosses_processes():
    error = pickle.loads(pickle.dumps(BrokenSampleError('a.mp4', 'is odd')))
    assert (error.filename, error.reason, str(error)) == ('a.mp4', 'is odd', 'a.mp4: is odd')


def test_a_name_with_a_colon_is_a_file(make_video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / '2023-05-01T10:30:00.mp4', num_frames=9)
    with VideoReader('2023-05-01T10:30:00.mp4') as reader:
        assert reader.total_frames == 9
    assert probe_video('2023-05-01T10:30:00.mp4') == ''
    for name in ('concat:2023-05-01T10:30:00.mp4', 'http://127.0.0.1:9/a.mp4'):
        with pytest.raises(BrokenSampleError, match='No such file'):
            VideoReader(name)
