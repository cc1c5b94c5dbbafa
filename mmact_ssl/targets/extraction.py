"""Run teachers over a data set and keep what they say in target caches."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmact_ssl.datasets.errors import BrokenSampleError
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.targets.cache import (
    TargetMeta,
    TargetReader,
    TargetWriter,
    merge_shards,
    remove_cache,
    shard_path,
)
from mmact_ssl.targets.file import encode_key, hash_sentences
from mmact_ssl.targets.video_extraction import extract_video, iterate_frames, run_teachers

# Into a log file, where no bar can be drawn (Slurm, nohup), its state is written so often.
SECONDS_BETWEEN_LINES = 60

__all__ = [
    'ExtractionJob',
    'ExtractionReport',
    'extract_many',
    'extract_sentences',
    'extract_targets',
    'extract_video',
    'iterate_frames',
    'read_annotations',
]


@dataclass(frozen=True)
class ExtractionJob:
    """A teacher, already on its device, and the cache that it fills."""

    teacher: BaseTeacher
    out: Path
    dtype: str = 'float32'

    @property
    def meta(self) -> TargetMeta:
        """What the cache holds."""
        teacher = self.teacher
        return TargetMeta(
            kind=teacher.kind,
            layout=teacher.layout,
            fingerprint=teacher.fingerprint(),
            source=teacher.source,
            window=teacher.window,
            precision=teacher.precision,
            dtype=self.dtype,
        )


@dataclass
class ExtractionReport:
    """What one extraction did.

    ``written`` counts videos (or keys of sentences) that were missing in a cache or had other
    sentences there, ``renewed`` the latter alone, ``skipped`` those that every cache had,
    ``removed`` keys that are no longer in the file of sentences; ``frames`` counts frames (or
    sentences); ``broken`` maps a video to the reason.
    """

    written: int = 0
    renewed: int = 0
    skipped: int = 0
    removed: int = 0
    frames: int = 0
    seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)


def read_annotations(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """List the videos of annotation files (``path`` or ``path label`` a line), each once.

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


def extract_targets(
    teacher: BaseTeacher,
    root: str | os.PathLike[str],
    names: Sequence[str],
    out: str | os.PathLike[str],
    dtype: str = 'float32',
    **options: Any,
) -> ExtractionReport:
    """Fill the cache of one teacher, see :func:`extract_many`."""
    return extract_many([ExtractionJob(teacher, Path(out), dtype)], root, names, **options)


def extract_many(
    jobs: Sequence[ExtractionJob],
    root: str | os.PathLike[str],
    names: Sequence[str],
    overwrite: bool = False,
    batch_size: int = 64,
    max_broken: float = 0.05,
    show_progress: bool = True,
) -> ExtractionReport:
    """Fill the caches of several teachers, each video decoded once for all that lack it.

    What is in a cache already is skipped, so that a killed run goes on. In a distributed run each
    rank takes every world-size-th video and writes its own shards (``<out>.rank<i>``, since LMDB's
    lock does not work across machines); rank 0 merges them at the end, and at the start what a
    killed run left.

    Args:
        jobs: Teachers and their caches.
        root: Folder that ``names`` start from.
        names: Videos, as the annotation files write them: the keys of the caches.
        overwrite: Start anew.
        batch_size: Frames decoded and handed to a teacher at once.
        max_broken: Fraction of videos that may be undecodable; they get no entry and are listed in
            ``<out>.broken.txt``.
        show_progress: Draw a bar with rate and time left (rank 0 only); where the output is no
            terminal, a line of it every minute.

    Raises:
        ConfigError: Two teachers have one cache, or a teacher makes what no cache holds.
        DataError: ``root`` holds none of the videos, too many are broken, a teacher says what is no
            target, or an existing cache is of another teacher.
    """
    root = Path(root)
    if not any((root / name).is_file() for name in names):
        raise DataError(
            f'{root} holds none of the {len(names)} annotated videos, e.g. {names[0]!r}: give '
            'the folder that the annotated paths start from as --videos'
        )
    for job in jobs:
        if job.teacher.kind == 'text':
            raise ConfigError(f'{job.teacher.source} reads sentences: give --sentences FILE')

    def work(name: str, todo: Sequence[ExtractionJob]) -> tuple[list[np.ndarray], int]:
        keep = [functools.partial(job.meta.stored, name) for job in todo]
        targets = run_teachers([job.teacher for job in todo], root / name, batch_size, keep)
        return targets, len(targets[0])

    # A hash of a video would cost as much as to read it: only what is missing is made.
    source_hash = dict.fromkeys(names, '')
    return _fill(jobs, source_hash, work, 'frames', overwrite, max_broken, show_progress)


def extract_sentences(
    teacher: BaseTeacher,
    sentences: Mapping[str, Sequence[str]],
    out: str | os.PathLike[str],
    dtype: str = 'float32',
    overwrite: bool = False,
    show_progress: bool = True,
) -> ExtractionReport:
    """Fill a cache with embeddings of sentences, float [S, D] by key (see :func:`extract_many`).

    A key is embedded anew if the cache has it of other sentences, or does not say of which. A key
    that ``sentences`` has not is removed: a cache holds the sentences of one file.

    Args:
        teacher: Of kind 'text': ``embed(list of S sentences)`` gives [S, D].
        sentences: By video path or class name.

    Raises:
        ConfigError: The teacher is of another kind.
        DataError: An existing cache is of another teacher, or of another file, since it has none
            of the keys.
    """
    if teacher.kind != 'text':
        raise ConfigError(f'{teacher.source} reads no sentences, it is of kind {teacher.kind!r}')
    embed: Any = teacher.embed

    def work(key: str, _: Sequence[ExtractionJob]) -> tuple[list[np.ndarray], int]:
        values = torch.as_tensor(embed(list(sentences[key]))).detach().cpu().numpy()
        return [job.meta.stored(key, values)], len(values)

    source_hash = {key: hash_sentences(lines) for key, lines in sentences.items()}
    job = ExtractionJob(teacher, Path(out), dtype)
    return _fill(
        [job], source_hash, work, 'sentences', overwrite, 0.0, show_progress, only_these=True
    )


# Of a key and the jobs that lack it: an array for each job, and how many frames it took.
Work = Callable[[str, Sequence[ExtractionJob]], 'tuple[list[np.ndarray], int]']


def _fill(
    jobs: Sequence[ExtractionJob],
    source_hash: Mapping[str, str],
    work: Work,
    unit: str,
    overwrite: bool,
    max_broken: float,
    show_progress: bool,
    only_these: bool = False,
) -> ExtractionReport:
    """Do the work of all keys that a cache lacks or has of something else, shared by the ranks.

    With ``only_these`` other keys are removed from the caches.
    """
    if len({job.out for job in jobs}) < len(jobs):
        raise ConfigError('two teachers would write to one cache: give their configs other names')
    rank, world_size = dist.get_dist_info()
    shared: list[list[dict[str, str]]] = [[]]
    removed = 0
    if rank == 0:
        shared = [[_prepare(job, source_hash, overwrite) for job in jobs]]
        removed = sum(_remove_others(job, source_hash) for job in jobs) if only_these else 0
    dist.broadcast_object_list(shared)
    caches = shared[0]
    todo = {
        key: [i for i, cache in enumerate(caches) if cache.get(key) != source_hash[key]]
        for key in source_hash
    }
    missing = [key for key in todo if todo[key]]
    mine = missing[rank::world_size]

    report = ExtractionReport(skipped=len(todo) - len(missing), removed=removed)
    start = said = time.perf_counter()
    progress = _progress(show_progress and rank == 0)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                TargetWriter(job.out if world_size == 1 else shard_path(job.out, rank), job.meta)
            )
            for job in jobs
        ]
        stack.enter_context(progress)
        task = progress.add_task('extract', total=len(mine), rate='')
        for key in mine:
            try:
                arrays, count = work(key, [jobs[i] for i in todo[key]])
                for i, array in zip(todo[key], arrays):
                    writers[i].put_stored(key, array, source_hash[key])
            except BrokenSampleError as error:
                report.broken[key] = error.reason
            except ValueError as error:
                raise DataError(f'a teacher said what is no target: {error}') from error
            else:
                report.written += 1
                report.renewed += any(key in caches[i] for i in todo[key])
                report.frames += count
            now = time.perf_counter()
            rate = report.frames / (now - start)
            progress.update(task, advance=1, rate=f'{rate:.0f} {unit}/s')
            if not progress.console.is_terminal and now - said >= SECONDS_BETWEEN_LINES:
                said = now
                progress.print(progress.get_renderable())
    report.seconds = time.perf_counter() - start
    return _finish(report, jobs, len(source_hash), max_broken)


def _prepare(job: ExtractionJob, keys: Iterable[str], overwrite: bool) -> dict[str, str]:
    """Create a cache or take up what a killed run left.

    Returns what the values of those keys that it has were made of.
    """
    meta = job.meta
    meta.check()
    if overwrite:
        for path in (job.out, *job.out.parent.glob(f'{job.out.name}.rank*')):
            remove_cache(path)
    TargetWriter(job.out, meta).close()  # refuses a stale cache before hours of work
    merge_shards(job.out, meta)
    return TargetReader(job.out).source_hash(keys)


def _remove_others(job: ExtractionJob, keys: Iterable[str]) -> int:
    """Remove from a cache what is not among the keys; returns how many that were.

    Raises:
        DataError: That would be all: the cache is of something else.
    """
    present = TargetReader(job.out).keys()
    wanted = {encode_key(key).decode() for key in keys}
    others = [key for key in present if key not in wanted]
    if others and len(others) == len(present):
        raise DataError(
            f'{job.out} holds {len(others)} keys, e.g. {others[0]!r}, and none of the file: give '
            'another --out, join both files to keep both, or --overwrite to replace it'
        )
    with TargetWriter(job.out, job.meta) as writer:
        writer.remove(others)
    return len(others)


def _finish(
    report: ExtractionReport, jobs: Sequence[ExtractionJob], num_keys: int, max_broken: float
) -> ExtractionReport:
    """Merge the ranks' reports and shards."""
    reports = dist.all_gather_object(report)
    total = ExtractionReport(
        written=sum(part.written for part in reports),
        renewed=sum(part.renewed for part in reports),
        skipped=report.skipped,
        removed=sum(part.removed for part in reports),
        frames=sum(part.frames for part in reports),
        seconds=max(part.seconds for part in reports),
        broken={name: reason for part in reports for name, reason in part.broken.items()},
    )
    listings = [Path(f'{job.out}.broken.txt') for job in jobs]
    if dist.is_main_process():
        for job, listing in zip(jobs, listings):
            merge_shards(job.out, job.meta)
            listing.unlink(missing_ok=True)
            if total.broken:
                lines = (f'{key}\t{reason}\n' for key, reason in total.broken.items())
                listing.write_text(''.join(lines))
    dist.barrier()
    if len(total.broken) > max_broken * num_keys:
        raise DataError(
            f'{len(total.broken)} of {num_keys} videos cannot be decoded, see {listings[0]}: '
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
