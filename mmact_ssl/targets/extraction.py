"""Extraction: running teachers over a data set and writing their targets into caches."""

from __future__ import annotations

import multiprocessing
import os
import posixpath
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
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
from mmact_ssl.datasets.shards import hash_videos, members, split_path
from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError
from mmact_ssl.io.files import dangling, is_remote, read_annotation, video_path
from mmact_ssl.models.teachers import BaseTeacher, build_teacher
from mmact_ssl.prompts.sentence_file import hash_sentences
from mmact_ssl.targets.broken_videos import broken_listing, list_broken
from mmact_ssl.targets.cache import TargetMeta, TargetReader, TargetWriter, encode_key
from mmact_ssl.targets.rank_shards import make_shard, merge_shards, remove_shards
from mmact_ssl.targets.run_teachers import run_teachers
from mmact_ssl.targets.values import is_current

MAX_BROKEN = 0.05  # of the videos; a single one among several is always accepted
VIDEOS_A_WORKER = 8  # at least, since a process takes seconds to start
# Number of frames or sentences, and an array for each teacher.
Result = tuple[int, list[np.ndarray]]
SECONDS_IN_LOG = 60  # between updates of the bar where the output is a file (Slurm, nohup)


@dataclass(frozen=True)
class ExtractionJob:
    """A teacher on its device, and the cache that it fills.

    The teacher sees one of ``every`` frames (see TargetMeta), the same for all jobs. ``config`` is
    the teacher's file, from which other processes build it.
    """

    teacher: BaseTeacher
    out: Path
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
            every=self.every,
        )


@dataclass
class ExtractionReport:
    """Counts of an extraction, in videos or in keys of sentences."""

    written: int = 0  # missing or outdated in a cache
    renewed: int = 0  # of a video or sentences that have changed
    skipped: int = 0  # in every cache
    removed: int = 0  # no longer in the file of sentences
    frames: int = 0  # or sentences
    seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)  # {video: reason}


def read_annotations(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """List the videos of annotation files, each once; DataError if a file is missing or empty."""
    hint = 'prepare the data set, or correct --ann'
    return list(dict.fromkeys(name for path in paths for name in read_annotation(path, hint)[0]))


def extract_many(
    jobs: Sequence[ExtractionJob],
    root: str | os.PathLike[str],
    names: Sequence[str],
    overwrite: bool = False,
    workers: int = 1,
    prepare_process: Callable[[], None] | None = None,
) -> ExtractionReport:
    """Fill the caches of several teachers; a video is decoded once for all teachers.

    Videos that a cache contains are skipped, so that a killed run can be repeated. A video whose
    file has changed since its extraction (see :func:`mmact_ssl.datasets.shards.video_hash`) is
    extracted again; its entry stays until the new one is ready, so that a wrong ``root`` costs no
    more than has been written. Entries without a hash stay. In a distributed
    run each rank takes every world-size-th video and writes its own shards (``<out>.rank<i>``,
    since LMDB's lock does not work across machines). Rank 0 merges them at the end; at the start it
    merges the shards that a killed run left.

    Undecodable videos get no entry and are listed in ``<out>.broken.txt``.

    Args:
        root: Folder to which ``names`` are relative.
        names: Videos as in the annotation files, which are the keys of the caches.
        workers: Processes, each with its own teachers, built from the jobs' configs. A few videos
            get fewer processes.
        prepare_process: Called in each of these processes before all else; not in this one.

    Raises:
        ConfigError: Two jobs write to the same cache, or a teacher reads sentences.
        DataError: ``root`` contains none of the videos, more than MAX_BROKEN of them are broken
            and not just one among several, a teacher returned an
            invalid target, or an existing cache is of another teacher.
    """
    root = os.fspath(root)
    if not any(_is_there(video_path(root, name)) for name in names):
        if reason := dangling(os.path.join(root, names[0])):
            raise DataError(f'{video_path(root, names[0])} {reason}')
        raise DataError(
            f'{root} holds none of the {len(names)} annotated videos, e.g. {names[0]!r}: give '
            'the folder that the annotated paths start from as --videos'
        )
    if len({job.out for job in jobs}) < len(jobs):
        raise ConfigError('two teachers would write to one cache: extract one of them with --out')
    for job in jobs:
        if job.teacher.kind == 'text':
            raise ConfigError(f'{job.teacher.source} reads sentences: give --sentences FILE')

    fill = partial(_fill, jobs, partial(hash_videos, root, names), 'videos', overwrite)
    teachers, every = [job.teacher for job in jobs], jobs[0].every
    workers = min(workers, len(names) // VIDEOS_A_WORKER)
    if workers < 2:
        run = partial(_run, teachers, root, every)
        return fill(lambda todo: ((key, partial(run, key, part)) for key, part in todo.items()))
    configs = [job.config for job in jobs]
    start = (os.getpid(), configs, str(teachers[0].device), prepare_process)
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, spawn, _start_worker, start) as pool:
        try:
            submit = partial(pool.submit, _work, root, every)
            return fill(lambda todo: _as_completed(submit, todo, 2 * workers))
        except BaseException as error:
            for worker in multiprocessing.active_children():
                worker.kill()  # or the end of the pool waits for their videos
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise DataError(
                    'a process of the extraction has ended, perhaps for lack of memory: run it '
                    'again with fewer --workers; written targets stay'
                ) from error
            raise


def _run(
    teachers: Sequence[BaseTeacher], root: str, every: int, key: str, todo: Sequence[int]
) -> Result:
    """Run the teachers with the indices ``todo`` over a video."""
    return run_teachers([teachers[i] for i in todo], video_path(root, key), every=every)


def _is_there(path: str) -> bool:
    parts = split_path(path)
    if parts and is_remote(path):
        return posixpath.normpath(parts[1]) in members(parts[0])
    return os.path.isfile(parts[0] if parts else path)


_teachers: list[BaseTeacher] = []  # teachers of this process of the pool


def _start_worker(
    parent: int, configs: Sequence[str], device: str, prepare: Callable[[], None] | None
) -> None:
    end_with_parent(parent)
    if prepare is not None:
        prepare()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    torch.set_num_threads(1)
    _teachers.extend(build_teacher(config).to(device) for config in configs)


def _work(*args: Any) -> Result:
    return _run(_teachers, *args)


def extract_sentences(
    teacher: BaseTeacher,
    sentences: Mapping[str, Sequence[str]],
    out: str | os.PathLike[str],
    overwrite: bool = False,
) -> ExtractionReport:
    """Fill a cache with embeddings of sentences, {key: float (S, D)} (see :func:`extract_many`).

    Keys are video paths or class names. A key is embedded again if the cache has other sentences
    for it, or no record of them. A key that is not in ``sentences`` is removed: a cache belongs to
    one file. If the cache has none of the keys, it belongs to another file: DataError.
    """
    if teacher.kind != 'text':
        raise ConfigError(f'{teacher.source} reads no sentences, it is of kind {teacher.kind!r}')
    embed: Any = teacher.embed

    job = ExtractionJob(teacher, Path(out))

    def embed_key(key: str) -> Result:
        values = torch.as_tensor(embed(list(sentences[key]))).detach().cpu().numpy()
        return len(values), [values]

    def hash_all() -> dict[str, str]:
        return {key: hash_sentences(lines) for key, lines in sentences.items()}

    return _fill(
        [job], hash_all, 'keys', overwrite, lambda todo: ((k, partial(embed_key, k)) for k in todo)
    )


def _fill(
    jobs: Sequence[ExtractionJob],
    hash_sources: Callable[[], dict[str, str]],
    unit: str,
    overwrite: bool,
    begin: Callable[[dict[str, list[int]]], Iterable[tuple[str, Callable[[], Result]]]],
) -> ExtractionReport:
    """Fill the caches with this rank's share of the missing and outdated keys, and merge.

    ``hash_sources()`` returns {key: hash of its source}. Rank 0 calls it, so that all ranks agree,
    before any source is read: one that changes later is outdated next time. ``begin({key: jobs})``
    yields each key with a function that waits for the result of its jobs.
    """
    rank, world_size = dist.get_dist_info()
    shared: list[Any] = [None]
    if rank == 0:
        hashes = hash_sources()
        shared = [(hashes, [_prepare(job, hashes, overwrite) for job in jobs])]
    dist.broadcast_object_list(shared)
    source_hash, prepared = shared[0]
    current, outdated, removed = zip(*prepared)
    changed = set().union(*outdated)
    todo = {key: [i for i, keys in enumerate(current) if key not in keys] for key in source_hash}
    missing = [key for key in todo if todo[key]]
    own_keys = missing[rank::world_size]

    report = ExtractionReport(skipped=len(todo) - len(missing), removed=sum(removed))
    interval = 0.1 if sys.stderr.isatty() else SECONDS_IN_LOG
    start = time.perf_counter()
    with ExitStack() as stack:
        outs = [job.out if world_size == 1 else make_shard(job.out, rank) for job in jobs]
        writers = [stack.enter_context(TargetWriter(out, job.meta)) for out, job in zip(outs, jobs)]
        begun = begin({key: todo[key] for key in own_keys})
        bar = tqdm(begun, total=len(own_keys), unit=unit, mininterval=interval, disable=rank > 0)
        for key, result in bar:
            try:
                total, arrays = result()
                for i, array in zip(todo[key], arrays):
                    writers[i].put(key, array, source_hash[key], total)
            except BrokenSampleError as error:
                report.broken[key] = error.reason
            except ValueError as error:
                raise DataError(f'the teacher returned an invalid target: {error}') from error
            else:
                report.written += 1
                report.renewed += key in changed
                report.frames += total
    report.seconds = time.perf_counter() - start
    return _finish(report, jobs, source_hash, outdated)


def _as_completed(
    submit: Callable[..., Future], todo: Mapping[str, list[int]], ahead: int
) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Submit the work on keys, ``ahead`` at a time; yield what is done at once, to be written."""
    begun: dict[Future, str] = {}
    for number, (key, part) in enumerate(todo.items(), 1):
        begun[submit(key, part)] = key
        while len(begun) > (ahead if number < len(todo) else 0):
            for future in wait(begun, return_when=FIRST_COMPLETED).done:
                yield begun.pop(future), future.result


def _prepare(
    job: ExtractionJob, source_hash: Mapping[str, str], overwrite: bool
) -> tuple[set[str], set[str], int]:
    """Create a cache, or merge the shards that a killed run left.

    Returns:
        The keys of current entries, those of outdated ones, and the number of keys of sentences
        removed because ``source_hash`` lacks them.
    """
    if overwrite or not job.out.exists():
        broken_listing(job.out).unlink(missing_ok=True)  # list of a removed cache
    # Opening refuses a stale cache before hours of work.
    TargetWriter(job.out, job.meta, overwrite).close()
    if overwrite:
        remove_shards(job.out)
    merge_shards(job.out, job.meta)
    reader = TargetReader(job.out)
    stored = reader.source_hashes(source_hash)
    is_text, others = job.meta.kind == 'text', []
    if is_text:
        present = reader.keys()
        others = sorted(set(present) - {encode_key(key).decode() for key in source_hash})
        if others and len(others) == len(present):
            raise DataError(
                f'{job.out} holds {len(others)} keys, e.g. {others[0]!r}, and none of the file: '
                'give another --out, join both files to keep both, or --overwrite to replace it'
            )
    outdated = {
        key
        for key, own in stored.items()
        if not is_current(own, source_hash[key]) or (is_text and not own)
    }
    with TargetWriter(job.out, job.meta) as writer:
        writer.remove(others)
    return stored.keys() - outdated, outdated, len(others)


def _finish(
    report: ExtractionReport,
    jobs: Sequence[ExtractionJob],
    keys: Collection[str],
    outdated: Sequence[set[str]],
) -> ExtractionReport:
    """Merge the ranks' reports and shards, and remove entries whose video is broken now."""
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
        for job, old in zip(jobs, outdated):
            merge_shards(job.out, job.meta)
            with TargetWriter(job.out, job.meta) as writer:
                writer.remove(sorted(old & total.broken.keys()))
            list_broken(job.out, keys, total.broken)
    dist.barrier()
    is_single = len(total.broken) == 1 < len(keys)
    if len(total.broken) > MAX_BROKEN * len(keys) and not is_single:
        raise DataError(
            f'{len(total.broken)} of {len(keys)} videos cannot be decoded, see '
            f'{broken_listing(jobs[0].out)}: replace them, or take them off the annotation'
        )
    return total
