"""Measurements on a few samples: copying videos, running teachers, steps of a training."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmact_ssl.apis.source_folder import Source
from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.engine.launch import fit_to_cpu
from mmact_ssl.errors import BrokenSampleError, DataError
from mmact_ssl.models.teachers import BaseTeacher
from mmact_ssl.models.teachers.choice import IMAGE_TEACHER
from mmact_ssl.preparation.small_copies import FRAMES, copies_at, copy_video
from mmact_ssl.registry import MODELS
from mmact_ssl.targets.extraction import ExtractionJob, extract_many

SAMPLE = 2  # videos to measure with


def copy_sample(
    source: Source, folder: Path, window: float = 0.0
) -> tuple[list[str], np.ndarray, float]:
    """Copy the videos of median size, and larger ones, or their first windows, to a folder.

    Returns:
        Names of the copies; some of their frames, uint8 ``(N, H, W, 3)``, those of one size; and
        seconds for one copy.
    """
    files = sorted(source.files, key=lambda file: file.stat().st_size)
    names: list[str] = []
    frames: list[np.ndarray] = []
    reasons: list[str] = []
    seconds = 0.0
    for file in files[len(files) // 2 :] + files[: len(files) // 2]:
        start = time.perf_counter()
        target = folder / f'{len(names)}.mp4'
        try:
            copy_video(file, target, window, SAMPLE)
            seconds += time.perf_counter() - start
            for copy in copies_at(target):
                with VideoReader(copy) as reader:  # it may be a link to a torn video
                    decoded = reader.read(range(reader.total_frames))
        except BrokenSampleError as error:
            target.unlink(missing_ok=True)
            reasons.append(f'{file}: {error.reason}')
            continue
        frames += [decoded[index] for index in sorted({*spread_frames(len(decoded), 12)})]
        names += [copy.relative_to(folder).as_posix() for copy in copies_at(target)]
        if len(names) >= SAMPLE:
            break
    if not names:
        raise DataError(f'{source.path}: none of {len(files)} videos can be read: {reasons[0]}')
    frames = [frame for frame in frames if frame.shape == frames[0].shape]
    return names, np.stack(frames), seconds / len(names)


def measure_teachers(
    built: Sequence[BaseTeacher], folder: Path, names: Sequence[str], frames: np.ndarray
) -> float:
    """Extract targets of some videos in this process: seconds for one."""
    built = [teacher.to(get_device()) for teacher in built]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes of the extraction
    for teacher in built[:2]:
        teacher(torch.from_numpy(frames[::3]).movedim(-1, 1))  # the first pass allocates memory
    caches = [folder / 'targets' / f'{name}.lmdb' for name in ('pose', IMAGE_TEACHER, 'video')]
    jobs = [ExtractionJob(*job) for job in zip(built, caches, (1, 1, FRAMES))]
    start = time.perf_counter()
    with redirect_stderr(io.StringIO()):  # it has a bar
        for part in filter(None, (jobs[:2], jobs[2:])):
            extract_many(part, folder, names)
    seconds = time.perf_counter() - start
    torch.set_num_threads(threads)
    return seconds / len(names)


def measure_step(cfg: Config) -> float:
    """Seconds of a training step of a config, data included."""
    cfg.launcher = 'none'
    device = get_device()
    if device == 'cpu':
        fit_to_cpu(cfg)
    init_default_scope('mmact_ssl')
    loader = build_dataloader({**cfg.train_dataloader, 'num_workers': 0}, seed=0)
    model: Any = MODELS.build(cfg.model).to(device).train()
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    times = [time.perf_counter()]
    for _, batch in zip(range(3), loader):
        model.train_step(batch, optimizer)
        times.append(time.perf_counter())
    return float(np.diff(times).min())
