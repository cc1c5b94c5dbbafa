"""Plan of a pre-training on a user's folder, its times on this machine, and its record."""

from __future__ import annotations

import io
import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmact_ssl.apis.pretrain_speed import copy_sample, measure_step, measure_teachers
from mmact_ssl.apis.source_folder import TABLES, Source
from mmact_ssl.configs.encoder_config import read_record
from mmact_ssl.datasets.shards import video_hash
from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.engine.launch import keep_freed_memory
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.checkpoint_file import CHECKPOINT, saved_checkpoints
from mmact_ssl.io.files import CONTROL, file_version, sha256_of, sha256_of_file, write_atomically
from mmact_ssl.io.schema import Count, read_json
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.models.teachers.choice import choose_teachers
from mmact_ssl.models.teachers.hugging_face import TransformersTeacher
from mmact_ssl.preparation.files import LONG, are_recordings, count_windows, length_of
from mmact_ssl.targets.cache import TargetReader

STARTING = 15.0  # seconds in which a program imports and builds what it needs
THUMBNAIL = 0.05  # seconds for one in the gallery
WINDOW = 10.0  # seconds
FEW = 50  # samples; a training on fewer is warned of
CORES = len(os.sched_getaffinity(0))  # of this process
FileState = tuple[int, int, str]  # bytes, time of change in nanoseconds, hash


class Recipe(NamedTuple):
    """A config for a user's folder, the encoder that it trains, and the limit of its steps."""

    name: str
    encoder: str
    most_steps: float


# 200 steps of 8 videos: with two teachers, 150 videos of ten seconds take less than 20 minutes of
# processor time. More were not measured. A third teacher guides the student of videos too.
RECIPES = {
    'skeletons': Recipe('ms2l-twoview_gru', 'gru-streams', math.inf),
    'videos': Recipe('dtg_tsm-lite0', 'tsm-lite0', 200),
    'guided videos': Recipe('dtg-video_tsm-lite0', 'tsm-lite0', 200),
}


@dataclass(frozen=True)
class Plan:
    """Settings and estimates of a run. A run that goes on after a stop keeps its plan.

    Attributes:
        is_video: True for videos, False for skeletons.
        count: Number of samples: videos, their windows, or clips.
        epochs, warmup, steps: Of the training; the other steps are those of the run, by name.
        teachers: Names or configs: of poses, of images, and perhaps ``hf:FOLDER``.
        options: Of the config, for the third teacher.
        note: Why this teacher of poses.
        start: Path of the model or checkpoint that the training starts from; '' for none.
        seconds: Estimate for each step of the run.
        asked: Values of the options that the plan follows; None where none was given.
        window: Seconds of the windows of recordings; 0 for whole files.
    """

    is_video: bool
    count: Count
    epochs: Count = 0
    warmup: Count = 0
    steps: Count = 0
    teachers: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    note: str = ''
    start: str = ''
    seconds: dict[str, float] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    window: float = 0.0

    @property
    def samples(self) -> str:
        """Describes the samples, and warns of few."""
        cut = f', windows of {self.window:g} s of recordings (--window 0: whole files)'
        few = f'\nwarning: these are few, and each is seen {self.epochs} times: add videos'
        return f'{self.count} samples{cut * bool(self.window)}{few * (self.count < FEW)}'

    @property
    def recipe(self) -> Recipe:
        """The config that is trained."""
        data = 'videos' if self.is_video else 'skeletons'
        return RECIPES[f'guided {data}' if self.options else data]


@dataclass
class Record:
    """Content of ``state.json``.

    Attributes:
        files: Of the folder, see :func:`record_files`.
        plan: The plan, of the files of the state ``planned``.
        steps: What each finished step was made from.
        number: Of the training.
        trained: Hashes of the files when the training began; None before that.
    """

    files: dict[str, FileState] = field(default_factory=dict)
    plan: Plan | None = None
    planned: str = ''
    steps: dict[str, Any] = field(default_factory=dict)
    number: Count = 1
    trained: dict[str, str] | None = None


class Job:
    """The files of a run.

    Args:
        labels: Value of ``--labels``.
        again: Begin another training if the folder has changed since the last one began.

    Attributes:
        now, state: Hashes of the files as they are now, and the hash of these with their names.
        note: What has changed since the training, for the user; '' if nothing has.

    Raises:
        ConfigError: The folder has changed during the training.
        DataError: The record is damaged, or of another version.
    """

    plan: Plan

    def __init__(
        self, source: Source, out: Path, name: str, labels: str | None = None, again: bool = False
    ) -> None:
        self.source, self.out, self.published, self.note = source, out, out / name, ''
        self.data = self.published if source.words else source.path
        self.path, self.table = out / 'state.json', out / 'comparison.txt'
        is_begun, fix = self.path.is_file(), 'give another --out'
        record = self.recorded = read_json(self.path, fix, Record) if is_begun else Record()
        record.files = record_files(source, record.files)
        self.now = {name: content for name, (*_, content) in record.files.items()}
        self.state = sha256_of(json.dumps(self.now, sort_keys=True))[:16]
        table = sha256_of_file(labels) if labels and labels != 'folders' else ''
        self.labeled = [self.state, labels, table]
        if not self.is_trained and not any(self.training.glob(f'*{CHECKPOINT}')):
            record.trained = None  # it had not come far
        trained = record.trained or self.now
        changes = describe_changes(trained, self.now)
        if changes and again:
            record.number, record.trained = record.number + 1, None
        elif changes:
            seen = sum(content in trained.values() for content in self.now.values())
            self.note = (
                f'{source.path}: {changes} since its training began; the model has seen {seen} '
                f'of the {len(self.now)} files: --again trains on what is there now'
            )
            if not self.is_trained:
                raise ConfigError(f'{self.note}; or put the files back to go on')

    @property
    def is_trained(self) -> bool:
        """True once the training has ended."""
        return self.recorded.steps.get('train') == self.recorded.number

    @cached_property
    def seconds_left(self) -> dict[str, float]:
        """Estimate for each step of the run, less what an earlier call has done of it."""
        left = dict(self.plan.seconds)
        with suppress(DataError):  # one that is damaged is reported when it is written
            counts = [len(TargetReader(p).keys()) for p in self.data.glob('targets/*.lmdb')]
            if len(counts) >= len(self.plan.teachers) > 0:
                left['targets'] = max(0, 1 - min(counts) / self.plan.count) * left.get('targets', 0)
        for _, steps, _ in saved_checkpoints(self.training)[-1:]:
            left['train'] = (1 - steps / self.plan.steps) * left.get('train', 0)
        return left

    @property
    def training(self) -> Path:
        """Work dir of the training."""
        number = self.recorded.number
        return self.out / ('training' if number == 1 else f'training_{number}')

    def write(self) -> None:
        """Write the record."""
        self.recorded.plan = self.plan
        write_atomically(self.path, json.dumps(asdict(self.recorded), indent=1) + '\n')


def record_files(source: Source, earlier: Mapping[str, FileState]) -> dict[str, FileState]:
    """Record all files: ``{path below the folder: (bytes, time of change, hash)}``.

    A file whose size and time are those of an ``earlier`` record keeps its hash unread.
    """
    record = {}
    top = source.path if source.path.is_dir() else source.path.parent
    for file in source.files:
        name, version = os.path.relpath(file, top), file_version(file)
        *known, content = earlier.get(name, (0, 0, ''))
        if tuple(known) != version:
            # An array may be edited in its place, between the ends that video_hash reads.
            is_table = file.suffix.lower() in TABLES
            content = sha256_of_file(file) if is_table else video_hash(str(file))
        record[name] = (*version, content)
    return record


def describe_changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Count new, replaced and gone files by their hashes, with the first names; '' without any."""
    kinds = {
        'new': now.keys() - before.keys(),
        'replaced': {name for name in now.keys() & before.keys() if now[name] != before[name]},
        'gone': before.keys() - now.keys(),
    }
    shown = [f'{len(n)} {kind} ({", ".join(sorted(n)[:3])})' for kind, n in kinds.items() if n]
    return CONTROL.sub('?', ', '.join(shown))


def make_plan(source: Source, asked: dict[str, Any], prepare: Callable[[list[str]], None]) -> Plan:
    """Measure on this machine, and plan.

    Args:
        source: Of :func:`find_source`.
        asked: Options of the run; None where none is given.
        prepare: Takes the words of ``tools/prepare_data.py``.

    Raises:
        CheckpointError: There is no model to start from, or it is damaged.
        ConfigError: An option does not fit, or no teacher of poses can be built.
        DataError: Nothing can be read.
    """
    if start := asked['start']:
        encoder = RECIPES['videos' if source.is_video else 'skeletons'].encoder
        saved = StudentFile.read(start)
        if (network := read_record(saved.record.get('encoder'), saved.path).name) != encoder:
            raise ConfigError(
                f'--from {start}: holds the network {network!r}, and this folder trains '
                f'{encoder!r}: give a model of that'
            )
        start = os.path.abspath(saved.path)
    for option in ('teacher', 'window'):
        if asked[option] is not None and not source.is_video:
            raise ConfigError(f'--{option} is for videos, skeletons need none: leave it out')
    if asked['flip'] is not None and not source.words:
        raise ConfigError(f'--flip: {source.path} is prepared already: give it to prepare')
    print('measuring the steps on this machine', flush=True)
    logger = MMLogger.get_current_instance()
    with TemporaryDirectory() as folder, ExitStack() as after:
        after.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.WARNING)  # what is measured reports itself when it runs
        if source.is_video:
            plan, cfg = measure_videos(source, Path(folder), asked)
        else:
            plan, cfg = measure_skeletons(source, Path(folder), prepare)
        plan = replace(plan, start=start or '', asked=asked)
        return plan_training(plan, cfg, asked['steps'], measure_step(cfg))


def measure_videos(source: Source, folder: Path, asked: dict[str, Any]) -> tuple[Plan, Config]:
    """Measure copying and teachers on a few videos.

    Args:
        folder: Empty folder for what is measured with.
        asked: Of the run. ``window`` None: :data:`WINDOW` if most material is in recordings.

    Returns:
        A plan of all videos that lacks the training, and a config that trains on the few.
    """
    keep_freed_memory()

    @cache  # what is chosen without frames fails before seconds of copying
    def sample() -> tuple[int, float, list[str], np.ndarray, float]:
        lengths, window = np.array([length_of(file) for file in source.files]), asked['window']
        if window is None:
            window = WINDOW if are_recordings(lengths, LONG * WINDOW) else 0.0
        count = sum(count_windows(seconds, window) for seconds in lengths.tolist())
        return count, window, *copy_sample(source, folder, window)

    teachers, note = choose_teachers(asked['teacher'] or [], lambda: sample()[3])
    built, key = [*teachers.values()], 'model.heads.guidance.teachers.video.channels'
    options = [f'{key}={t.channels}' for t in built if isinstance(t, TransformersTeacher)]
    count, window, names, frames, copy_seconds = sample()
    plan = Plan(True, count, teachers=[*teachers], options=options, note=note, window=window)
    targets = count * measure_teachers(built, folder, names, frames) / CORES + STARTING
    plan.seconds.update(prepare=count * copy_seconds / CORES, targets=targets)
    # The config counts the lines; the measured batches have only the videos of the sample.
    lines = [*names, *(f'other {number}.mp4' for number in range(count - len(names)))]
    (folder / 'train.txt').write_text(''.join(f'{line}\n' for line in lines))
    cfg = read_config(f'mmact_ssl::{plan.recipe.name}.py', plan.options, data=str(folder))
    batch = cfg.train_dataloader.batch_size
    (folder / 'sample.txt').write_text(''.join(f'{name}\n' for name in names) * 2 * batch)
    cfg.train_dataloader.dataset.ann_file = str(folder / 'sample.txt')
    return plan, cfg


def measure_skeletons(
    source: Source, folder: Path, prepare: Callable[[list[str]], None]
) -> tuple[Plan, Config]:
    """Measure the preparation of skeletons in an empty folder, see :func:`measure_videos`."""
    start = time.perf_counter()
    data = folder / 'data' if source.words else source.path
    if source.words:
        with redirect_stdout(io.StringIO()):  # it tells of a temporary folder
            prepare([*source.words, '--out', str(data)])
    took = time.perf_counter() - start
    cfg = read_config(f'mmact_ssl::{RECIPES["skeletons"].name}.py', data=str(data))
    return Plan(False, cfg.own_folder.num_train, seconds=dict(prepare=took)), cfg


def plan_training(plan: Plan, cfg: Config, steps: int | None, step_seconds: float) -> Plan:
    """Add the training and the steps behind it to a plan.

    The training has whole epochs: those of the config, in at most as many steps as the recipe
    allows, or in ``steps``.
    """
    loader = cfg.train_dataloader
    whole, rest = divmod(plan.count, loader.batch_size)
    in_epoch = max(1, whole + bool(rest and not loader.get('drop_last')))
    default_steps = min(plan.recipe.most_steps, cfg.train_cfg.max_epochs * in_epoch)
    # Two epochs or more: one to warm up, and one to fall.
    epochs = max(2, round((default_steps if steps is None else steps) / in_epoch))
    warmup = min(cfg.param_scheduler[0].end, max(1, epochs // 20))
    embedding_seconds = plan.count * step_seconds / loader.batch_size / 3  # without gradients
    seconds = plan.seconds | dict(
        train=epochs * in_epoch * step_seconds + STARTING,
        evaluate=3 * embedding_seconds + STARTING,
        publish=STARTING / 3,
        gallery=embedding_seconds + plan.count * THUMBNAIL + STARTING,
    )
    return replace(plan, epochs=epochs, warmup=warmup, steps=epochs * in_epoch, seconds=seconds)
