"""Samples per second of one data worker, against mmaction2's decord pipeline.

Ours makes a clip and a future of 16 frames each at stride 2, three I-frames and the poses of clip
and future from a pose cache; mmaction2's pipeline makes the clip and the future alone, as one clip
of 32 frames at stride 2. Both read the same frames of the same files in turn, on one core, from
random starts. The I-frames of a video are set against decoding the whole of it. Without --videos
two files of each of the sizes 340x256 and 1920x1080 are made: 10 s of moving texture in H.264 with
libx264's defaults, which place a key frame every 250 frames.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from interleave import compare
from made_data import make_videos, use_videos
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmact_ssl.datasets import PretextVideoDataset
from mmact_ssl.datasets.video_reader import VideoReader

SIZES = ((340, 256), (1920, 1080))
TARGETS = {(340, 256): 1.7, (1920, 1080): 2.5}
KEYFRAMES_TARGET = 10
CROP = dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0))
RESIZE = dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False)
AUGMENT = [CROP, RESIZE, dict(type='HorizontalFlip', layout='coco17')]
FRAMES = dict(num_frames=16, stride=2)
OURS = [
    dict(type='SampleViews', clip=FRAMES, future=FRAMES, keyframes=dict(num_frames=3)),
    dict(type='LoadTargets', cache='pose.lmdb', views=('clip', 'future')),
    dict(type='DecodeViews', short_side=128),
    dict(type='TransformViews', views=('clip', 'future'), transforms=AUGMENT),
    dict(type='TransformViews', views=('keyframes',), transforms=AUGMENT),
    dict(type='PackInputs', views=('clip', 'future', 'keyframes')),
]
MMACTION2 = [
    dict(type='DecordInit', num_threads=1),
    dict(type='SampleFrames', clip_len=32, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='RandomResizedCrop', area_range=(0.2, 1.0)),
    dict(type='Resize', scale=(112, 112), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--videos', nargs='+', type=Path, help='files to read; default: made ones')
    parser.add_argument('--samples', type=int, default=16, help='samples of each pipeline and size')


def gather_videos(args: argparse.Namespace) -> dict[tuple[int, int], list[Path]]:
    """Files by size (width, height); generates missing ones."""
    if not args.videos:
        return {size: make_videos(args.cache, 2, size) for size in SIZES}
    groups = defaultdict(list)
    for path in args.videos:
        with VideoReader(path) as reader:
            height, width = reader.read([0])[0].shape[:2]
        groups[width, height].append(path.resolve())
    return dict(groups)


def samples(folder: Path, count: int, pipeline: list[dict]) -> Callable[[int], dict[str, Any]]:
    """Return a function that makes sample ``number`` by a pipeline on the videos of a folder."""
    data_set = PretextVideoDataset(
        str(folder / 'train.txt'), pipeline, data_prefix=dict(video=str(folder))
    )

    def make(number: int) -> dict[str, Any]:
        data_set.set_progress(0, number)
        return data_set[number % count]

    return make


def ours(folder: Path, count: int, pipeline: list[dict]) -> Callable[[int], Any]:
    """Our pipeline; a run returns the shapes of its packed views."""
    stay_on_one_core()
    make = samples(folder, count, pipeline)
    return lambda number: {view: list(x.shape) for view, x in make(number)['inputs'].items()}


def mmaction2(folder: Path, count: int, rounds: int) -> Callable[[int], Any]:
    """mmaction2's pipeline on the frames of our clip and future.

    A run returns these frames and the shape of the sample.
    """
    from mmaction.datasets import VideoDataset

    stay_on_one_core()
    draw = samples(folder, count, OURS[:1])
    starts = []
    for number in range(rounds):
        drawn = draw(number)
        drawn['video_reader'].close()
        starts.append(drawn['frame_inds']['clip'][:1])
    with DefaultScope.overwrite_default_scope('mmaction'):
        data_set = VideoDataset(
            str(folder / 'train.txt'), MMACTION2, data_prefix=dict(video=str(folder))
        )
    sample_frames = data_set.pipeline.transforms[1]

    def run(number: int) -> dict[str, list[int]]:
        with mock.patch.object(sample_frames, '_sample_clips', return_value=starts[number]):
            made = data_set[number % count]
        return dict(frames=made['frame_inds'].tolist(), shape=list(made['imgs'].shape))

    return run


def keyframes(videos: list[Path], whole: bool) -> Callable[[int], Any]:
    """Up to three I-frames of a video at reduced size, or all of its frames."""

    def run(number: int) -> int:
        with VideoReader(videos[number % len(videos)]) as reader:
            frames = range(reader.total_frames) if whole else reader.keyframes_near(0, count=3)
            return len(reader.read(frames, short_side=128))

    return run


def stay_on_one_core() -> None:
    """Stay on one core, as data workers do: decord decodes in a second thread."""
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the pipelines on each size of file."""
    figures = []
    for (width, height), videos in gather_videos(args).items():
        with tempfile.TemporaryDirectory() as name:
            folder, count = Path(name), len(videos)
            cfg = Config(
                dict(train_dataloader=dict(dataset=dict(pipeline=OURS)), model=dict(heads={}))
            )
            use_videos(cfg, folder, videos, count)
            figures.append(
                compare(
                    f'a sample of {width}x{height}',
                    {
                        'ours': partial(ours, folder, count, OURS),
                        'mmaction2': partial(mmaction2, folder, count, args.samples + 1),
                    },
                    'mmaction2',
                    rounds=args.samples,
                    faster=True,
                    target=TARGETS.get((width, height)),
                )
            )
        figures.append(
            compare(
                f'I-frames of {width}x{height}',
                {
                    'I-frames': partial(keyframes, videos, whole=False),
                    'whole video': partial(keyframes, videos, whole=True),
                },
                'whole video',
                rounds=max(1, args.samples // 4),
                faster=True,
                target=KEYFRAMES_TARGET,
            )
        )
    return figures
