"""Run teachers over the frames of a data set and keep their targets in caches."""

from __future__ import annotations

import multiprocessing
import os
import posixpath
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
import torch
from tqdm import tqdm

from mmact_ssl.datasets.loading import end_with_parent
from mmact_ssl.datasets.shards import members, split_path
from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError
from mmact_ssl.files import is_remote, read_annotation, video_path, why_missing, write_atomically
from mmact_ssl.models.teachers import BaseTeacher, build_teacher
from mmact_ssl.prompts.sentence_file import hash_sentences
from mmact_ssl.targets.cache import (
    TargetMeta,
    TargetReader,
    TargetWriter,
    broken_listing,
    encode_key,
    read_broken,
)
from mmact_ssl.targets.rank_shards import make_shard, merge_shards, remove_shards
from mmact_ssl.targets.run_teachers import run_teachers

VIDEOS_A_WORKER = 8  # a process takes seconds to start
# Frames, or sentences, and an array for each teacher.
Result = tuple[int, list[np.ndarray]]
SECONDS_IN_LOG = 60  # between updates of the bar where the output is a file (Slurm, nohup)


@dataclass(frozen=True)
class ExtractionJob:
    """A teacher, already on its device, and the cache that it fills.

    ``every``, the same for all jobs: of so many frames the teacher sees one (TargetMeta).
    ``config`` is the teacher's file, for other processes.
    """

    teacher: BaseTeacher
    out: Path
    dtype: str = 'float32'
    every: int = 1
    config: str = ''

    @property
    def meta(self) -> TargetMeta:
        """Meta data of the cache."""
        teacher = self.teacher
        return TargetMeta(
            kind=teacher.kind,
            layout=teacher.layout,
            fingerprint=teacher.fingerprint(),
            source=teacher.source + (f', every {self.every} frames' if self.every > 1 else ''),
            window=teacher.window,
            precision=teacher.precision,
            dtype=self.dtype,
            every=self.every,
        )


@dataclass
class ExtractionReport:
    """Counts of one extraction, of videos or of keys of sentences."""

    written: int = 0  # missing in a cache, or of other sentences there
    renewed: int = 0  # of other sentences
    skipped: int = 0  # in every cache
    removed: int = 0  # no longer in the file of sentences
    frames: int = 0  # or sentences
    seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)  # reason by video


def read_annotations(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """List the videos of annotation files, each once; DataError if a file is missing or empty."""
    hint = 'prepare the data set, or correct --ann'
    return list(dict.fromkeys(name for path in paths for name in read_annotation(path, hint)[0]))


def extract_many(
    jobs: Sequence[ExtractionJob],
    root: str | os.PathLike[str],
    names: Sequence[str],
    overwrite: bool = False,
    batch_size: int = 64,
    max_broken: float = 0.05,
    workers: int = 1,
) -> ExtractionReport:
    """Fill the caches of several teachers, each video decoded once for all that lack it.

    What is in a cache already is skipped, so that a killed run goes on. In a distributed run each
    rank takes every world-size-th video and writes its own shards (``<out>.rank<i>``, since LMDB's
    lock does not work across machines); rank 0 merges them at the end, and at the start what a
    killed run left.

    Args:
        root: Folder that ``names`` start from.
        names: Videos, as the annotation files write them: the keys of the caches.
        batch_size: Frames decoded and handed to a teacher at once.
        max_broken: Fraction of videos that may be undecodable; they get no entry and are listed in
            ``<out>.broken.txt``. Above 0 a single one beside others may always be.
        workers: Processes, each with teachers of its own, built from the jobs' configs; fewer for a
            few videos.

    Raises:
        ConfigError: The teachers and caches do not go together.
        DataError: ``root`` holds none of the videos, too many are broken, a teacher returned an
            invalid target, or an existing cache is of another teacher.
    """
    root = os.fspath(root)
    if not any(_is_there(video_path(root, name)) for name in names):
        if reason := why_missing(root, names[0]):
            raise DataError(f'{video_path(root, names[0])} {reason}')
        raise DataError(
            f'{root} holds none of the {len(names)} annotated videos, e.g. {names[0]!r}: give '
            'the folder that the annotated paths start from as --videos'
        )
    if len({job.out for job in jobs}) < len(jobs):
        raise ConfigError('two teachers would write to one cache: give their configs other names')
    for job in jobs:
        if job.teacher.kind == 'text':
            raise ConfigError(f'{job.teacher.source} reads sentences: give --sentences FILE')

    # A hash of a video would cost as much as to read it: only what is missing is made.
    fill = partial(_fill, jobs, dict.fromkeys(names, ''), 'videos', overwrite, max_broken)
    metas = [job.meta for job in jobs]
    teachers = [job.teacher for job in jobs]
    workers = min(workers, len(names) // VIDEOS_A_WORKER)
    if workers < 2:
        return fill(lambda key, todo: partial(_run, teachers, metas, todo, root, key, batch_size))
    start = (os.getpid(), [job.config for job in jobs], str(teachers[0].device))
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, spawn, _start_worker, start) as pool:
        try:
            return fill(
                lambda key, todo: pool.submit(_work, metas, todo, root, key, batch_size).result,
                ahead=2 * workers,
            )
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise DataError(
                    'a process of the extraction has ended, perhaps for want of memory: run it '
                    'again, with fewer --workers; what is written stays'
                ) from error
            raise


def _run(
    teachers: Sequence[BaseTeacher],
    metas: Sequence[TargetMeta],
    todo: Sequence[int],
    root: str,
    key: str,
    batch_size: int,
) -> Result:
    """Run some of the teachers over a video."""
    keep = [partial(metas[i].stored, key) for i in todo]
    chosen = [teachers[i] for i in todo]
    return run_teachers(chosen, video_path(root, key), batch_size, keep, metas[0].every)


def _is_there(path: str) -> bool:
    parts = split_path(path)
    if parts and is_remote(path):
        return posixpath.normpath(parts[1]) in members(parts[0])
    return os.path.isfile(parts[0] if parts else path)


_teachers: list[BaseTeacher] = []  # of a process of the pool


def _start_worker(parent: int, configs: Sequence[str], device: str) -> None:
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    torch.set_num_threads(1)
    _teachers.extend(build_teacher(config).to(device) for config in configs)


def _work(*args: Any) -> Result:
    return _run(_teachers, *args)


def extract_sentences(
    teacher: BaseTeacher,
    sentences: Mapping[str, Sequence[str]],
    out: str | os.PathLike[str],
    dtype: str = 'float32',
    overwrite: bool = False,
) -> ExtractionReport:
    """Fill a cache with embeddings of sentences, float (S, D) by key (see :func:`extract_many`).

    A key is embedded anew if the cache has it of other sentences, or without a record of its
    sentences. A key that ``sentences`` lacks is removed: a cache holds the sentences of one file.

    ``sentences`` are keyed by video path or class name. A cache that has none of the keys is of
    another file: DataError.
    """
    if teacher.kind != 'text':
        raise ConfigError(f'{teacher.source} reads no sentences, it is of kind {teacher.kind!r}')
    embed: Any = teacher.embed

    job = ExtractionJob(teacher, Path(out), dtype)

    def work(key: str) -> Result:
        values = torch.as_tensor(embed(list(sentences[key]))).detach().cpu().numpy()
        return len(values), [job.meta.stored(key, values)]

    source_hash = {key: hash_sentences(lines) for key, lines in sentences.items()}
    return _fill([job], source_hash, 'keys', overwrite, 0.0, lambda key, todo: partial(work, key))


def _fill(
    jobs: Sequence[ExtractionJob],
    source_hash: Mapping[str, str],
    unit: str,
    overwrite: bool,
    max_broken: float,
    begin: Callable[[str, Sequence[int]], Callable[[], Result]],
    ahead: int = 0,
) -> ExtractionReport:
    """Do this rank's part of all keys that a cache lacks or has of another source, and merge.

    ``begin`` starts on a key for some of the jobs; what it returns gives the result, which is asked
    for once ``ahead`` more keys have begun.
    """
    rank, world_size = dist.get_dist_info()
    shared: list[Any] = [None]
    if rank == 0:
        shared = [[_prepare(job, source_hash, overwrite) for job in jobs]]
    dist.broadcast_object_list(shared)
    caches, removed = zip(*shared[0])
    todo = {
        key: [i for i, cache in enumerate(caches) if cache.get(key) != source_hash[key]]
        for key in source_hash
    }
    missing = [key for key in todo if todo[key]]
    mine = missing[rank::world_size]

    report = ExtractionReport(skipped=len(todo) - len(missing), removed=sum(removed))
    interval = 0.1 if sys.stderr.isatty() else SECONDS_IN_LOG
    start = time.perf_counter()
    with ExitStack() as stack:
        outs = [job.out if world_size == 1 else make_shard(job.out, rank) for job in jobs]
        writers = [stack.enter_context(TargetWriter(out, job.meta)) for out, job in zip(outs, jobs)]
        begun = _begun_ahead(((key, begin(key, todo[key])) for key in mine), ahead)
        bar = tqdm(begun, total=len(mine), unit=unit, mininterval=interval, disable=rank > 0)
        for key, result in bar:
            try:
                total, arrays = result()
                for i, array in zip(todo[key], arrays):
                    writers[i].put_stored(key, array, source_hash[key], total)
            except BrokenSampleError as error:
                report.broken[key] = error.reason
            except ValueError as error:
                raise DataError(f'the teacher returned an invalid target: {error}') from error
            else:
                report.written += 1
                report.renewed += any(key in caches[i] for i in todo[key])
                report.frames += total
    report.seconds = time.perf_counter() - start
    return _finish(report, jobs, source_hash, max_broken)


def _begun_ahead(items: Iterable[Any], ahead: int) -> Iterator[Any]:
    """Yield items in order, each once ``ahead`` more have been taken."""
    taken: deque[Any] = deque()
    for item in items:
        taken.append(item)
        if len(taken) > ahead:
            yield taken.popleft()
    yield from taken


def _prepare(
    job: ExtractionJob, wanted: Mapping[str, str], overwrite: bool
) -> tuple[dict[str, str], int]:
    """Create a cache or take up what a killed run left.

    Returns the source hashes of those wanted keys that it has, and the number of removed keys.
    """
    if overwrite or not job.out.exists():
        broken_listing(job.out).unlink(missing_ok=True)  # of a cache that is gone
    # Refuses a stale cache before hours of work.
    TargetWriter(job.out, job.meta, overwrite).close()
    if overwrite:
        remove_shards(job.out)
    merge_shards(job.out, job.meta)
    reader = TargetReader(job.out)
    present = set(reader.keys())
    names = {encode_key(key).decode(): key for key in wanted}
    if job.meta.kind != 'text':
        # Without reading any value: a cache may have hundreds of thousands.
        return {names[name]: '' for name in present & names.keys()}, 0
    others = sorted(present - names.keys())
    if others and len(others) == len(present):
        raise DataError(
            f'{job.out} holds {len(others)} keys, e.g. {others[0]!r}, and none of the file: give '
            'another --out, join both files to keep both, or --overwrite to replace it'
        )
    with TargetWriter(job.out, job.meta) as writer:
        writer.remove(others)
    return reader.source_hash(wanted), len(others)


def _finish(
    report: ExtractionReport,
    jobs: Sequence[ExtractionJob],
    keys: Collection[str],
    max_broken: float,
) -> ExtractionReport:
    """Merge the ranks' reports and shards."""
    reports = dist.all_gather_object(report)
    total = ExtractionReport(
        written=sum(part.written for part in reports),
        renewed=sum(part.renewed for part in reports),
        skipped=report.skipped,
        removed=report.removed,
        frames=sum(part.frames for part in reports),
        seconds=max(part.seconds for part in reports),
        broken={name: reason for part in reports for name, reason in part.broken.items()},
    )
    if dist.is_main_process():
        for job in jobs:
            merge_shards(job.out, job.meta)
            list_broken(job.out, keys, total.broken)
    dist.barrier()
    is_alone = len(total.broken) == 1 < len(keys) and max_broken > 0
    if len(total.broken) > max_broken * len(keys) and not is_alone:
        raise DataError(
            f'{len(total.broken)} of {len(keys)} videos cannot be decoded, see '
            f'{broken_listing(jobs[0].out)}: replace them or raise --max-broken'
        )
    return total


def list_broken(out: Path, keys: Collection[str], broken: Mapping[str, str]) -> None:
    """List the broken videos among ``keys`` beside a cache; of others those that it lacks stay."""
    others = {key: reason for key, reason in read_broken(out).items() if key not in keys}
    present = TargetReader(out).source_hash(others)
    listed = {key: others[key] for key in others if key not in present} | dict(broken)
    if listed:
        lines = ''.join(f'{key}\t{reason}\n' for key, reason in listed.items())
        write_atomically(broken_listing(out), lines)
    else:
        broken_listing(out).unlink(missing_ok=True)
