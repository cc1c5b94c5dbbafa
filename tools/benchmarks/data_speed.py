"""Samples per second of one data worker, against mmaction2's decord pipeline.

Ours makes a clip and a future of 16 frames each at stride 2, three I-frames and the poses of clip
and future from a pose cache; mmaction2's pipeline makes the clip and the future alone, as one clip
of 32 frames at stride 2. Both read the same files in turn, on one core, from random starts of the
same distribution. The ratio of elapsed times wavers on a busy machine, that of processor times less
so. Without --videos two files of each of the sizes 340x256 and 1920x1080 are made: 10 s of moving
texture in H.264 with libx264's defaults, which place a key frame every 250 frames.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch

from mmact_ssl.datasets import PretextVideoDataset
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.targets.cache import TargetMeta, TargetWriter

SIZES = ((340, 256), (1920, 1080))
NUM_MADE = 2
NUM_FRAMES = 300
FLOORS = {(340, 256): 1.3, (1920, 1080): 1.7}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument('--videos', nargs='+', type=Path, help='files to read; default: made ones')
    parser.add_argument('--samples', type=int, default=16, help='samples of each pipeline and size')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--cache', type=Path, default=Path('work_dirs/benchmark'), help='folder of the made files'
    )


def moving_texture(width: int, height: int, num_frames: int, seed: int) -> Iterator[np.ndarray]:
    """Frames as a hand-held camera would see textured things move, uint8 [H, W, 3].

    A background of the spectrum of natural pictures (amplitude falling with frequency), panned,
    turned and zoomed; four textured ellipses on ways of their own; sensor noise of deviation 2.
    """
    random = np.random.RandomState(seed)
    shape = (2 * height, 2 * width)
    frequency = np.hypot(np.fft.rfftfreq(shape[1])[None], np.fft.fftfreq(shape[0])[:, None])
    frequency[0, 0] = 1
    size = (shape[0], shape[1] // 2 + 1)
    planes = []
    for _ in range(3):
        spectrum = (random.randn(*size) + 1j * random.randn(*size)) / frequency**1.1
        plane = np.fft.irfft2(spectrum, shape)
        planes.append((plane - plane.mean()) / plane.std())
    texture = np.stack(planes, axis=-1)
    texture = np.clip(128 + 45 * (0.7 * texture[..., :1] + 0.3 * texture), 0, 255).astype(np.uint8)
    noises = [(2 * random.randn(height, width, 1)).astype(np.int16) for _ in range(8)]
    speeds, phases = random.uniform(0.5, 2, (4, 2)), random.uniform(0, 2 * np.pi, (4, 2))
    radii = random.uniform(0.08, 0.2, 4) * height
    for t in range(num_frames):
        angle, zoom = 0.02 * np.sin(t / 30), 1 + 0.03 * np.sin(t / 25)
        cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
        x, y = width / 4 + width / 8 * np.sin(t / 40), height / 4 + height / 10 * np.cos(t / 55)
        camera = np.array([[cosine, -sine, -x], [sine, cosine, -y]])
        frame = cv2.warpAffine(texture, camera, (width, height), borderMode=cv2.BORDER_REFLECT)
        for speed, phase, radius in zip(speeds, phases, radii):
            x, y = (0.5 + 0.4 * np.sin(speed * t / 20 + phase)) * (width, height)
            mask = np.zeros((height, width), np.uint8)
            axes = (int(radius), int(radius * (1 + 0.3 * np.sin(t / 6))))
            cv2.ellipse(mask, (int(x), int(y)), axes, 2 * t, 0, 360, 255, -1)
            body = np.array([[1, 0, x - width], [0, 1, y - height]])
            moved = cv2.warpAffine(texture, body, (width, height), borderMode=cv2.BORDER_REFLECT)
            cv2.copyTo(255 - moved, mask, frame)
        yield np.clip(frame + noises[t % 8], 0, 255).astype(np.uint8)


def make_video(path: Path, width: int, height: int, seed: int) -> None:
    """Write one file, H.264 at libx264's defaults, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix('.part.mp4')
    with av.open(str(part), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for image in moving_texture(width, height, NUM_FRAMES, seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())
    os.replace(part, path)


def gather_videos(args: argparse.Namespace) -> dict[tuple[int, int], list[Path]]:
    """Files by size (width, height); makes those that are to be made and are not there."""
    groups = defaultdict(list)
    if args.videos:
        for path in args.videos:
            with VideoReader(path) as reader:
                height, width = reader.read([0])[0].shape[:2]
            groups[width, height].append(path.resolve())
        return dict(groups)
    for width, height in SIZES:
        for seed in range(NUM_MADE):
            path = args.cache.resolve() / f'{width}x{height}_{seed}.mp4'
            if not path.is_file():
                print(f'making {path} ...', flush=True)
                make_video(path, width, height, seed)
            groups[width, height].append(path)
    return dict(groups)


def build_datasets(videos: list[Path], folder: Path) -> dict[str, Any]:
    """The two data sets over the same files, the poses of ours cached under ``folder``."""
    from mmaction.datasets import VideoDataset
    from mmengine.registry import DefaultScope

    annotation = folder / 'videos.txt'
    annotation.write_text(''.join(f'{path} 0\n' for path in videos))
    meta = TargetMeta(kind='pose', layout='coco17', fingerprint='0', source='random numbers')
    with TargetWriter(folder / 'targets' / 'pose.lmdb', meta) as writer:
        for path in videos:
            with VideoReader(path) as reader:
                poses = np.random.rand(reader.total_frames, 17, 3).astype(np.float32)
            writer.put(str(path), poses)

    crop = dict(type='mmaction.RandomResizedCrop', area_range=(0.2, 1.0))
    resize = dict(type='mmaction.Resize', scale=(112, 112), keep_ratio=False)
    augment = [crop, resize, dict(type='HorizontalFlip', layout='coco17')]
    frames = dict(num_frames=16, stride=2)
    ours = [
        dict(type='SampleViews', clip=frames, future=frames, keyframes=dict(num_frames=3)),
        dict(type='LoadTargets', views=('clip', 'future')),
        dict(type='DecodeViews', short_side=128),
        dict(type='TransformViews', views=('clip', 'future'), transforms=augment),
        dict(type='TransformViews', views=('keyframes',), transforms=augment),
        dict(type='PackInputs', views=('clip', 'future', 'keyframes')),
    ]
    theirs = [
        dict(type='DecordInit', num_threads=1),
        dict(type='SampleFrames', clip_len=32, frame_interval=2, num_clips=1),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 128)),
        dict(type='RandomResizedCrop', area_range=(0.2, 1.0)),
        dict(type='Resize', scale=(112, 112), keep_ratio=False),
        dict(type='Flip', flip_ratio=0.5),
        dict(type='FormatShape', input_format='NCTHW'),
    ]
    datasets = {'ours': PretextVideoDataset(str(annotation), ours)}
    with DefaultScope.overwrite_default_scope('mmaction'):
        datasets['mmaction2'] = VideoDataset(str(annotation), theirs)
    return datasets


@contextmanager
def one_core() -> Iterator[None]:
    """Stay on one core, as data workers do: decord decodes in a thread beside the main one."""
    if not hasattr(os, 'sched_setaffinity'):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def measure(videos: list[Path], num_samples: int, seed: int) -> dict[str, np.ndarray]:
    """Median seconds per sample, (elapsed, of the processor), of both pipelines.

    They take turns at going first.
    """
    with tempfile.TemporaryDirectory() as folder:
        datasets = build_datasets(videos, Path(folder))
        np.random.seed(seed)
        seconds: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for number in range(-1, num_samples):  # the first round warms up
            datasets['ours'].set_progress(seed, number + 1)
            for name in sorted(datasets, reverse=bool(number % 2)):
                start = time.perf_counter(), time.process_time()
                datasets[name][number % len(videos)]
                if number >= 0:
                    now = time.perf_counter(), time.process_time()
                    seconds[name].append((now[0] - start[0], now[1] - start[1]))
        del datasets
    return {name: np.median(values, axis=0) for name, values in seconds.items()}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run the benchmark, print its table and return its figures."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    packages = ('av', 'decord', 'mmaction2', 'numpy', 'opencv-python')
    results = []
    groups = gather_videos(args)
    row = '{:>10} {:>10} {:>13} {:>7} {:>10} {:>7}'
    print(row.format('size', 'ours, 1/s', 'mmaction2, 1/s', 'ratio', 'ratio, CPU', 'floor'))
    for (width, height), videos in groups.items():
        with one_core():
            seconds = measure(videos, args.samples, args.seed)
        rates = {name: 1 / float(elapsed) for name, (elapsed, _) in seconds.items()}
        ratio, cpu_ratio = (seconds['mmaction2'] / seconds['ours']).tolist()
        floor = FLOORS.get((width, height))
        figures = [rates['ours'], rates['mmaction2'], ratio, cpu_ratio]
        shown = [f'{figure:.2f}' for figure in figures]
        print(row.format(f'{width}x{height}', *shown, floor or '-'), flush=True)
        results.append(
            {
                'width': width,
                'height': height,
                'videos': len(videos),
                'samples': args.samples,
                'samples_per_second': rates,
                'cpu_seconds_per_sample': {name: float(cpu) for name, (_, cpu) in seconds.items()},
                'ratio': ratio,
                'cpu_ratio': cpu_ratio,
                'floor': floor,
            }
        )
    return {
        'made_videos': not args.videos,
        'results': results,
        'versions': {name: version(name) for name in packages},
    }
