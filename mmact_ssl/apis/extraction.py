"""Run a teacher over a data set and keep what it says in a target cache."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mmengine.dist as dist
import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmact_ssl.datasets.errors import BrokenSampleError
from mmact_ssl.datasets.targets import (
    TargetMeta,
    TargetReader,
    TargetWriter,
    merge_shards,
    remove_cache,
    shard_path,
)
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import DataError
from mmact_ssl.models.teachers.base import BaseTeacher


@dataclass
class ExtractionReport:
    """What one extraction did; `broken` maps a video to the reason."""

    written: int = 0
    skipped: int = 0
    frames: int = 0
    seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)


def read_annotations(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """List the videos of annotation files (`path` or `path label` a line), each once.

    Raises:
        DataError: A file is missing or names no video.
    """
    names: dict[str, None] = {}
    for path in paths:
        if not Path(path).is_file():
            raise DataError(f'no annotation file {path}: prepare the data set, or correct --ann')
        lines = Path(path).read_text().splitlines()
        found = [line.rsplit(' ', 1) for line in map(str.strip, lines) if line]
        if not found:
            raise DataError(f'annotation file {path} is empty: prepare the data set again')
        # A path may contain blanks; only a number at the end is a label.
        names.update(
            (parts[0] if parts[-1].isdigit() else ' '.join(parts), None) for parts in found
        )
    return list(names)


def iterate_frames(path: str | os.PathLike[str], chunk: int) -> Iterator[np.ndarray]:
    """Decode a video from its first to its last frame, with the reader that training uses.

    Yields:
        uint8 [n, H, W, 3] RGB, n = `chunk` but for the last.

    Raises:
        BrokenSampleError: The file cannot be decoded or has no frame.
    """
    with VideoReader(path) as reader:
        for start in range(0, reader.total_frames, chunk):
            indices = range(start, min(start + chunk, reader.total_frames))
            frames = reader.read(indices)
            yield np.stack([frames[index] for index in indices])


def extract_video(
    teacher: BaseTeacher, path: str | os.PathLike[str], batch_size: int = 64
) -> np.ndarray:
    """Run a teacher over every frame of a video.

    Returns:
        [F, ...], for a pose teacher float32 [F, V, 3].

    Raises:
        BrokenSampleError: The video cannot be decoded or has no frame.
    """
    targets = []
    for frames in iterate_frames(path, batch_size):
        batch = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (n, 3, H, W)
        targets.append(teacher(batch.to(teacher.device)).cpu().numpy())
    return np.concatenate(targets)


def extract_targets(
    teacher: BaseTeacher,
    root: str | os.PathLike[str],
    names: Sequence[str],
    out: str | os.PathLike[str],
    overwrite: bool = False,
    batch_size: int = 64,
    max_broken: float = 0.05,
    show_progress: bool = True,
) -> ExtractionReport:
    """Fill a cache; videos that are in it already are skipped, so that a killed run goes on.

    In a distributed run each rank takes every world-size-th video and writes its own shard
    (`<out>.rank<i>`, since LMDB's lock does not work across machines); rank 0 merges them at the
    end, and at the start what a killed run left.

    Args:
        teacher: The teacher, already on its device.
        root: Folder that `names` start from.
        names: Videos, as the annotation files write them: the keys of the cache.
        out: Folder of the cache.
        overwrite: Start anew.
        batch_size: Frames decoded and handed to the teacher at once.
        max_broken: Fraction of videos that may be undecodable; they get no entry and are listed in
            `<out>.broken.txt`.
        show_progress: Draw a bar with rate and time left (rank 0 only).

    Raises:
        DataError: `root` holds none of the videos, too many are broken, or the existing cache is
            of another teacher.
    """
    root, out = Path(root), Path(out)
    if not any((root / name).is_file() for name in names):
        raise DataError(
            f'{root} holds none of the {len(names)} annotated videos, e.g. {names[0]!r}: give '
            'the folder that the annotated paths start from as --videos'
        )
    meta = TargetMeta(teacher.kind, teacher.layout, teacher.fingerprint(), teacher.source)
    rank, world_size = dist.get_dist_info()
    present: set[str] = set()
    if rank == 0:
        if overwrite:
            for path in (out, *out.parent.glob(f'{out.name}.rank*')):
                remove_cache(path)
        TargetWriter(out, meta).close()  # refuses a stale cache before hours of work
        merge_shards(out, meta)
        present = set(TargetReader(out).keys())
    shared = [present]
    dist.broadcast_object_list(shared)
    mine = [name for name in names if name not in shared[0]][rank::world_size]

    report = ExtractionReport(skipped=len([name for name in names if name in shared[0]]))
    start = time.perf_counter()
    destination = out if world_size == 1 else shard_path(out, rank)
    progress = _progress(show_progress and rank == 0)
    with TargetWriter(destination, meta) as writer, progress:
        task = progress.add_task('extract', total=len(mine), rate='')
        for name in mine:
            try:
                target = extract_video(teacher, root / name, batch_size)
            except BrokenSampleError as error:
                report.broken[name] = error.reason
            else:
                writer.put(name, target)
                report.written += 1
                report.frames += len(target)
            rate = report.frames / (time.perf_counter() - start)
            progress.update(task, advance=1, rate=f'{rate:.0f} frames/s')
    report.seconds = time.perf_counter() - start
    return _finish(report, out, meta, len(names), max_broken)


def _finish(
    report: ExtractionReport, out: Path, meta: TargetMeta, num_videos: int, max_broken: float
) -> ExtractionReport:
    """Merge the ranks' reports and shards."""
    reports = dist.all_gather_object(report)
    total = ExtractionReport(
        written=sum(part.written for part in reports),
        skipped=report.skipped,
        frames=sum(part.frames for part in reports),
        seconds=max(part.seconds for part in reports),
        broken={name: reason for part in reports for name, reason in part.broken.items()},
    )
    listing = Path(f'{out}.broken.txt')
    if dist.is_main_process():
        merge_shards(out, meta)
        listing.unlink(missing_ok=True)
        if total.broken:
            listing.write_text(''.join(f'{k}\t{reason}\n' for k, reason in total.broken.items()))
    dist.barrier()
    if len(total.broken) > max_broken * num_videos:
        raise DataError(
            f'{len(total.broken)} of {num_videos} videos cannot be decoded, see {listing}: '
            'replace them or raise --max-broken'
        )
    return total


def _progress(visible: bool) -> Progress:
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('videos, {task.fields[rate]}'),
        TimeRemainingColumn(),
        disable=not visible,
    )
