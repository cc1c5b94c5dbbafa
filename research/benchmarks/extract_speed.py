"""Frames per second of the extraction of targets, and the size of caches.

Several teachers read generated videos of 340x256 pixels, decoded once for all teachers: every frame
and one of N, against decoding alone, in one process on one core. The last table compares
``tools/extract_targets.py`` on all cores with ``--workers 1``; its elapsed time includes the start
of the processes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from interleave import compare
from made_data import make_videos
from mmengine.registry import init_default_scope

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.targets.extraction import ExtractionJob, extract_many
from mmact_ssl.targets.run_teachers import iterate_frames

TOOL = Path(__file__).resolve().parents[2] / 'tools/extract_targets.py'
CONFIGS = TOOL.parents[1] / 'configs' / 'teachers'
EVERY_TARGET = 0.9  # of N times as fast


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--teachers',
        nargs='+',
        metavar='CONFIG',
        default=[
            f'{CONFIGS}/movenet_lightning.py',
            f'{CONFIGS}/efficientnet_lite0_imagenet.py',
        ],
        help='teacher configs',
    )
    parser.add_argument('--every', type=int, default=4, help='N, to read one of N frames')
    parser.add_argument('--videos', type=int, default=4, help='generated videos of 300 frames')
    parser.add_argument('--rounds', type=int, default=3, help='timed rounds of each way')


def decoding(videos: list[Path]) -> Callable[[int], int]:
    """A function that decodes the videos and returns the number of their frames."""

    def run(number: int) -> float:
        frames = 0
        for path in videos:
            with VideoReader(path) as reader:
                frames += sum(len(chunk) for chunk in iterate_frames(reader, 64))
        return frames

    return run


def extraction(
    configs: list[str], videos: list[Path], every: int
) -> Callable[[int], dict[str, float]]:
    """A function that fills new caches and returns their bytes over those of the videos."""
    init_default_scope('mmact_ssl')
    teachers = [build_teacher(config) for config in configs]
    whole = sum(path.stat().st_size for path in videos)

    def run(number: int) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f'{Path(config).stem}.lmdb') for config in configs]
            jobs = [ExtractionJob(teacher, path, every) for teacher, path in zip(teachers, paths)]
            extract_many(jobs, videos[0].parent, [path.name for path in videos])
            return {path.stem: cache_bytes(path) / whole for path in paths}

    return run


def program(configs: list[str], videos: list[Path], options: list[str]) -> Callable[[int], None]:
    """A function that runs ``tools/extract_targets.py``."""

    def run(number: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'train.txt').write_text(''.join(f'{path.name} 0\n' for path in videos))
            words = ['--data', folder, '--videos', str(videos[0].parent), *options]
            subprocess.run(
                [sys.executable, str(TOOL), *configs, *words],
                env={**os.environ, 'OMP_NUM_THREADS': '1'},
                check=True,
                capture_output=True,
            )

    return run


def cache_bytes(path: Path) -> int:
    """Bytes of a cache on the disk, without the holes in its files."""
    return sum(512 * file.stat().st_blocks for file in path.rglob('*') if file.is_file())


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare extraction with decoding, one frame of N with all, and all cores with one."""
    videos = make_videos(args.cache, args.videos)
    all_frames, some = 'every frame', f'one frame of {args.every}'
    ways = {
        'decoding alone': partial(decoding, videos),
        all_frames: partial(extraction, args.teachers, videos, 1),
        some: partial(extraction, args.teachers, videos, args.every),
    }
    title = f'{len(videos)} videos of 300 frames, {len(args.teachers)} teachers'
    figures = [compare(title, ways, all_frames, args.rounds, faster=True)]
    figures[0]['target'] = EVERY_TARGET * args.every  # of the last way only
    for name, own in figures[0]['ways'].items():
        rate = 300 * len(videos) / np.median(own['cpu_seconds'])
        print(f'  {name}: {rate:.0f} frames a second of one core')
    print(f'  {some}: target >= {figures[0]["target"]:g} times the speed of {all_frames}')
    shares = figures[0]['ways'][some]['results'][-1]
    print(
        f'  caches, over the size of these videos: {sum(shares.values()):.1%}: '
        + ', '.join(f'{name} {share:.1%}' for name, share in shares.items())
    )
    cores = len(os.sched_getaffinity(0))
    # With fewer than eight videos a process, its start dominates.
    many = make_videos(args.cache, max(args.videos, 8 * cores))
    every = ['--every', str(args.every)]
    ways = {
        'one process': partial(program, args.teachers, many, [*every, '--workers', '1']),
        f'all {cores} cores': partial(program, args.teachers, many, every),
    }
    title = f'{len(many)} videos, {some}, by the program'
    settings = dict(rounds=1, faster=True, warm_ups=0, programs=True)
    figures.append(compare(title, ways, 'one process', **settings))
    return figures
