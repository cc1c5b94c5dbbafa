"""Run teachers over every frame of a data set and keep their targets in caches."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
import torch
from tqdm import tqdm

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError
from mmact_ssl.files import read_annotation
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.targets.cache import (
    TargetMeta,
    TargetReader,
    TargetWriter,
    encode_key,
    hash_sentences,
    merge_shards,
    remove_cache,
    shard_path,
)

# A read decodes from the key frame before it, so frames are read in large blocks.
BLOCK_BYTES = 1 << 28
CLIPS_AT_ONCE = 16  # for a clip teacher without a batch size of its own

Keep = Callable[[np.ndarray], np.ndarray]
SECONDS_IN_LOG = 60  # between updates of the bar where the output is a file (Slurm, nohup)


@dataclass(frozen=True)
class ExtractionJob:
    """A teacher, already on its device, and the cache that it fills."""

    teacher: BaseTeacher
    out: Path
    dtype: str = 'float32'

    @property
    def meta(self) -> TargetMeta:
        """Meta data of the cache."""
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
            ``<out>.broken.txt``.

    Raises:
        ConfigError: The teachers and caches do not go together.
        DataError: ``root`` holds none of the videos, too many are broken, a teacher returned an
            invalid target, or an existing cache is of another teacher.
    """
    root = Path(root)
    if not any((root / name).is_file() for name in names):
        raise DataError(
            f'{root} holds none of the {len(names)} annotated videos, e.g. {names[0]!r}: give '
            'the folder that the annotated paths start from as --videos'
        )
    if len({job.out for job in jobs}) < len(jobs):
        raise ConfigError('two teachers would write to one cache: give their configs other names')
    for job in jobs:
        if job.teacher.kind == 'text':
            raise ConfigError(f'{job.teacher.source} reads sentences: give --sentences FILE')

    def work(name: str, todo: Sequence[ExtractionJob]) -> list[np.ndarray]:
        keep = [functools.partial(job.meta.stored, name) for job in todo]
        return run_teachers([job.teacher for job in todo], root / name, batch_size, keep)

    # A hash of a video would cost as much as to read it: only what is missing is made.
    source_hash = dict.fromkeys(names, '')
    return _fill(jobs, source_hash, work, 'videos', overwrite, max_broken)


def extract_sentences(
    teacher: BaseTeacher,
    sentences: Mapping[str, Sequence[str]],
    out: str | os.PathLike[str],
    dtype: str = 'float32',
    overwrite: bool = False,
) -> ExtractionReport:
    """Fill a cache with embeddings of sentences, float [S, D] by key (see :func:`extract_many`).

    A key is embedded anew if the cache has it of other sentences, or without a record of its
    sentences. A key that ``sentences`` lacks is removed: a cache holds the sentences of one file.

    ``sentences`` are keyed by video path or class name. A cache that has none of the keys is of
    another file: DataError.
    """
    if teacher.kind != 'text':
        raise ConfigError(f'{teacher.source} reads no sentences, it is of kind {teacher.kind!r}')
    embed: Any = teacher.embed

    def work(key: str, todo: Sequence[ExtractionJob]) -> list[np.ndarray]:
        values = torch.as_tensor(embed(list(sentences[key]))).detach().cpu().numpy()
        return [job.meta.stored(key, values) for job in todo]

    source_hash = {key: hash_sentences(lines) for key, lines in sentences.items()}
    return _fill([ExtractionJob(teacher, Path(out), dtype)], source_hash, work, 'keys', overwrite)


# From a key and the jobs that lack it to an array for each job.
Work = Callable[[str, Sequence[ExtractionJob]], 'list[np.ndarray]']


def _fill(
    jobs: Sequence[ExtractionJob],
    source_hash: Mapping[str, str],
    work: Work,
    unit: str,
    overwrite: bool,
    max_broken: float = 0.0,
) -> ExtractionReport:
    """Do this rank's part of all keys that a cache lacks or has of another source, and merge."""
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
        outs = [job.out if world_size == 1 else shard_path(job.out, rank) for job in jobs]
        writers = [stack.enter_context(TargetWriter(out, job.meta)) for out, job in zip(outs, jobs)]
        for key in tqdm(mine, unit=unit, mininterval=interval, disable=rank > 0):
            try:
                arrays = work(key, [jobs[i] for i in todo[key]])
                for i, array in zip(todo[key], arrays):
                    writers[i].put_stored(key, array, source_hash[key])
            except BrokenSampleError as error:
                report.broken[key] = error.reason
            except ValueError as error:
                raise DataError(f'the teacher returned an invalid target: {error}') from error
            else:
                report.written += 1
                report.renewed += any(key in caches[i] for i in todo[key])
                report.frames += len(arrays[0])
    report.seconds = time.perf_counter() - start
    return _finish(report, jobs, len(source_hash), max_broken)


def _prepare(
    job: ExtractionJob, wanted: Mapping[str, str], overwrite: bool
) -> tuple[dict[str, str], int]:
    """Create a cache or take up what a killed run left.

    Returns the source hashes of those wanted keys that it has, and the number of removed keys.
    """
    # Refuses a stale cache before hours of work.
    TargetWriter(job.out, job.meta, overwrite).close()
    if overwrite:
        for shard in job.out.parent.glob(f'{job.out.name}.rank*'):
            remove_cache(shard)
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
    report: ExtractionReport, jobs: Sequence[ExtractionJob], num_keys: int, max_broken: float
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
        lines = ''.join(f'{key}\t{reason}\n' for key, reason in total.broken.items())
        for job in jobs:
            merge_shards(job.out, job.meta)
            listing = Path(f'{job.out}.broken.txt')
            listing.unlink(missing_ok=True)
            if lines:
                listing.write_text(lines)
    dist.barrier()
    if len(total.broken) > max_broken * num_keys:
        raise DataError(
            f'{len(total.broken)} of {num_keys} videos cannot be decoded, see '
            f'{jobs[0].out}.broken.txt: replace them or raise --max-broken'
        )
    return total


def iterate_frames(path: str | os.PathLike[str], chunk: int) -> Iterator[np.ndarray]:
    """Decode a whole video with training's reader: uint8 [n <= chunk, H, W, 3] RGB at a time."""
    with VideoReader(path) as reader:
        frame_bytes = reader.read([0])[0].nbytes
        block = chunk * max(1, BLOCK_BYTES // (chunk * frame_bytes))
        for first in range(0, reader.total_frames, block):
            indices = range(first, min(first + block, reader.total_frames))
            frames = reader.read(indices)
            for start in range(first, indices.stop, chunk):
                part = range(start, min(start + chunk, indices.stop))
                yield np.stack([frames.pop(index) for index in part])


def run_teachers(
    teachers: Sequence[BaseTeacher],
    path: str | os.PathLike[str],
    batch_size: int = 64,
    keep: Sequence[Keep] | None = None,
) -> list[np.ndarray]:
    """Run several teachers over every frame of a video, which is decoded once.

    Args:
        batch_size: Frames decoded and handed to a frame teacher at once.
        keep: For each teacher a function that checks and compresses its values of some frames.

    Returns:
        For each teacher [F, ...]; of a clip teacher entry t is of the clip that begins at frame t.
    """
    with VideoReader(path) as reader:
        total = reader.total_frames
    targets: list[list[np.ndarray]] = [[] for _ in teachers]
    windows = [_Windows(teacher, total) for teacher in teachers]
    for frames in iterate_frames(path, batch_size):
        for i, teacher in enumerate(teachers):
            for batch in windows[i].add(frames) if teacher.window else [frames]:
                # (n, 3, H, W), of clips (n, T, 3, H, W)
                images = torch.from_numpy(batch).movedim(-1, -3).to(teacher.device)
                values = teacher(images).cpu().numpy()
                targets[i].append(keep[i](values) if keep else values)
    return [np.concatenate(parts) for parts in targets]


class _Windows:
    """The clips of a video of ``total`` frames, as its frames arrive.

    Clip t has the frames t, t + stride, ..., clamped to the last one: those that SampleViews gives
    for a clip that starts at t.
    """

    def __init__(self, teacher: BaseTeacher, total: int) -> None:
        num_frames, stride = teacher.window or (1, 1)
        self.offsets = stride * np.arange(num_frames)
        self.last = total - 1
        self.at_once: int = getattr(teacher, 'batch_size', None) or CLIPS_AT_ONCE
        self.next = 0  # first clip that is not complete yet
        self.held: dict[int, np.ndarray] = {}  # frames that clips from `next` on need
        self.seen = 0

    def add(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next frames; yields the clips that they complete, uint8 [n, T, H, W, 3]."""
        self.held.update(enumerate(frames, self.seen))
        self.seen += len(frames)
        at_once = max(1, min(self.at_once, BLOCK_BYTES // (frames[0].nbytes * len(self.offsets))))
        complete = self.seen if self.seen > self.last else self.seen - int(self.offsets[-1])
        while self.next < complete:
            starts = range(self.next, min(self.next + at_once, complete))
            clips = [np.minimum(t + self.offsets, self.last).tolist() for t in starts]
            yield np.stack([np.stack([self.held[i] for i in clip]) for clip in clips])
            self.next = starts.stop
            for t in starts:
                if t < self.last:
                    del self.held[t]
