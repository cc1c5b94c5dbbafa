"""What tests of several packages share: videos whose frames can be told apart, two processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from mmengine.registry import DefaultScope

NUM_BITS = 10


def index_image(index: int, width: int, height: int) -> np.ndarray:
    """A picture that carries its index, uint8 [H, W, 3].

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
    drop_packets: int = 0,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video of `index_image`s.

    Args:
        path: File to write; the ending chooses the container.
        gop: Frames from one key frame to the next.
        times: Time stamps of the frames in 1/600 s, rising; None: 25 frames a second.
        drop_packets: Packets to leave out at the beginning, in the order of decoding.
        rotation: Degrees by which a player shall turn the picture.
        options: More options of the encoder.
    """
    if codec == 'libx264':
        options = {'bf': str(bframes), 'crf': '18', 'sc_threshold': '0', **(options or {})}
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, 600)
        if rotation:
            stream.set_display_rotation(rotation)
        container.start_encoding()  # a file without frames has a header too
        packets = []
        for index in range(num_frames):
            frame = av.VideoFrame.from_ndarray(index_image(index, width, height), format='rgb24')
            frame.pts = 24 * index if times is None else times[index]
            frame.time_base = Fraction(1, 600)
            packets += stream.encode(frame)
        packets += stream.encode()
        container.mux(packets[drop_packets:])
    return Path(path)


@pytest.fixture(scope='session')
def make_video() -> Callable[..., Path]:
    """Writes a small video, see ``write_video``."""
    return write_video


@pytest.fixture(scope='session')
def read_index() -> Callable[[np.ndarray], int]:
    """Reads the index of a frame from a picture of such a video, see ``index_of``."""
    return index_of


@pytest.fixture(autouse=True)
def no_scope():
    """Forget the default scope that a runner of an earlier test has set for good."""
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def in_two_processes() -> Callable[[str, Path], None]:
    """Run a test's file as a program twice at once, with its rank and a folder as arguments."""

    def run(file: str, folder: Path) -> None:
        processes = [
            subprocess.Popen(
                [sys.executable, file, str(rank), str(folder)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(2)
        ]
        outputs = [process.communicate(timeout=600)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], '\n'.join(outputs)

    return run
