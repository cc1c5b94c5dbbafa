"""Plan of a pre-training on a user's folder: its settings, and times on this machine."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmact_ssl.apis.source_folder import Source
from mmact_ssl.apis.zoo import find_model
from mmact_ssl.datasets.frame_conversion import spread_frames
from mmact_ssl.datasets.loading import build_dataloader
from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.engine.device import find_device
from mmact_ssl.engine.launch import fit_to_cpu, keep_freed_memory, read_config
from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError
from mmact_ssl.files import read_json
from mmact_ssl.models.teachers import build_teacher
from mmact_ssl.models.teachers.choice import choose_pose_teacher, config_of
from mmact_ssl.preparation.small_copies import FRAMES, SHORT_SIDE, copy_video
from mmact_ssl.registry import MODELS
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.targets.extraction import ExtractionJob, extract_many

# A budget takes frames of the copies and training steps away, down to these.
LEAST_FRAMES, LEAST_STEPS = 24, 100
# Steps of 8 videos: with the teachers, 150 videos of ten seconds take less than 20 minutes of
# processor time. What fewer or more steps are worth on such a set was not measured.
VIDEO_STEPS = 200
IMAGE_TEACHER = 'efficientnet_lite0_imagenet'  # read by the config of videos
STARTING = 15.0  # seconds in which a program imports and builds what it needs
THUMBNAIL = 0.05  # seconds for one in the gallery, and megabytes
SAMPLE = 2  # videos to measure with
CORES = len(os.sched_getaffinity(0))  # of this process


class Recipe(NamedTuple):
    """A config for a folder of the user's: its name, the words for ``train.py``, its network."""

    name: str
    config: str
    network: str


# By Plan.is_video.
RECIPES = {
    True: Recipe('dtg_tsm-lite0', 'mmact_ssl::dtg_tsm-lite0.py', 'tsm-lite0'),
    False: Recipe('ms2l-twoview_gru', 'mmact_ssl::ms2l-twoview_gru.py', 'gru-streams'),
}


@dataclass(frozen=True)
class Plan:
    """Settings and estimates of a run. A run that goes on after a stop keeps its plan.

    Attributes:
        is_video: True for videos, False for skeletons.
        count: Number of videos or clips found.
        epochs, warmup, steps: Of the training.
        frames: Of a small copy.
        teachers: Names or configs; the first one is of poses.
        note: Why this teacher of poses; of skeletons in a table, how they are read.
        start: Path of the model or checkpoint that the training starts from; '' for none.
        seconds, megabytes: Estimates for each step.
        asked: Values of the options that the plan follows; None where none was given.
    """

    is_video: bool
    count: int
    epochs: int = 0
    warmup: int = 0
    steps: int = 0
    frames: int = 0
    teachers: tuple[str, ...] = ()
    note: str = ''
    start: str = ''
    seconds: dict[str, float] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)

    def time(self, steps: Iterable[str]) -> str:
        """Estimate for some steps: minutes and seconds, or hours and minutes."""
        minutes, rest = divmod(round(sum(self.seconds.get(step, 0) for step in steps)), 60)
        long = f'{minutes // 60} h {minutes % 60:02d} min'
        return long if minutes >= 60 else f'{minutes}:{rest:02d}'

    @classmethod
    def read(cls, path: Path, asked: dict[str, Any]) -> Plan:
        """Read the plan that an earlier call wrote as JSON.

        Raises:
            ConfigError: An option of this call asks for another plan.
            DataError: The file is damaged, or of another version.
        """
        values = read_json(path, 'give another --out', dict)
        try:
            plan = cls(**{**values, 'teachers': tuple(values['teachers'])})
        except (KeyError, TypeError) as error:
            raise DataError(f'{path}: is not a plan of this version; give another --out') from error
        for name, value in asked.items():
            if value is not None and value != plan.asked.get(name):
                raise ConfigError(
                    f'{path.parent} was begun with {name} {plan.asked.get(name)}: leave the option '
                    'out to go on, or give another --out'
                )
        return plan


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
    start, teacher, network = asked['start'], asked['teacher'], RECIPES[source.is_video].network
    if start:
        saved = SavedRun.read(find_model(start))
        if saved.backbone_name != network:
            raise ConfigError(
                f'--from {start}: holds the network {saved.backbone_name!r}, and this folder '
                f'trains {network!r}: give a model of that'
            )
        start = os.path.abspath(saved.path)
    if teacher and not source.is_video:
        raise ConfigError('--teacher is for videos, skeletons need none: leave it out')
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # what is measured reports itself when it runs
    with TemporaryDirectory() as folder:
        if source.is_video:
            teachers = (teacher, IMAGE_TEACHER) if teacher else ()
            plan = plan_videos(source, Path(folder), asked['steps'], teachers)
        else:
            plan = plan_skeletons(source, Path(folder), asked['steps'], prepare)
    logger.setLevel(level)
    plan = replace(plan, start=start or '', asked=asked)
    return within(plan, asked['minutes'], source.is_labeled) if asked['minutes'] else plan


def plan_videos(source: Source, folder: Path, steps: int | None, teachers: Sequence[str]) -> Plan:
    """Measure copying, teachers and training on a few videos, and plan for all.

    Args:
        folder: Empty folder for what is measured with.
        steps: Training steps; None: those of the recipe, at most :data:`VIDEO_STEPS`.
        teachers: Names in ``configs/teachers/`` or configs; () to choose by what can be built.
    """
    keep_freed_memory()
    threads = torch.get_num_threads()
    names, copying = _copy_sample(source, folder)
    note = 'as asked'
    if not teachers:
        pose, note = choose_pose_teacher(partial(_sample_frames, folder, names))
        teachers = (pose, IMAGE_TEACHER)
    count = len(source.files)
    torch.set_num_threads(1)  # as in the processes of the extraction
    looking, stored = measure_teachers(folder, names, teachers)
    torch.set_num_threads(threads)
    kept = sum((folder / name).stat().st_size for name in names) / len(names)
    plan = Plan(
        *(True, count),
        frames=FRAMES,
        teachers=tuple(teachers),
        note=note,
        seconds=dict(prepare=count * copying / CORES, targets=count * looking / CORES + STARTING),
        megabytes=dict(prepare=count * kept / 1e6, targets=count * stored / 1e6),
    )
    # The config counts the lines; the measured batches have the videos of the sample alone.
    lines = [*names, *(f'other {number}.mp4' for number in range(count - len(names)))]
    (folder / 'train.txt').write_text(''.join(f'{line}\n' for line in lines))
    cfg = read_config(RECIPES[True].config, data=str(folder))
    batch = cfg.train_dataloader.batch_size
    (folder / 'sample.txt').write_text(''.join(f'{name}\n' for name in names) * 2 * batch)
    cfg.train_dataloader.dataset.ann_file = str(folder / 'sample.txt')
    return plan_training(plan, cfg, steps, VIDEO_STEPS)


def plan_skeletons(
    source: Source, folder: Path, steps: int | None, prepare: Callable[[list[str]], None]
) -> Plan:
    """Measure the preparation of skeletons and their training steps, and plan the rest.

    Args:
        folder: Empty folder, to prepare the files in.
        steps: Training steps; None: those of the recipe.
        prepare: Takes the words of ``tools/prepare_data.py``.
    """
    start = time.perf_counter()
    data = folder / 'data' if source.words else source.path
    if source.words:
        with redirect_stdout(io.StringIO()):  # it tells of a temporary folder
            prepare([*source.words, '--out', str(data)])
    took = time.perf_counter() - start
    cfg = read_config(RECIPES[False].config, data=str(data))
    size = 512 * sum(file.stat().st_blocks for file in data.rglob('*') if file.is_file())
    plan = Plan(
        *(False, cfg.own_folder.num_train),
        note=' '.join(source.words[3:]),
        seconds=dict(prepare=took),
        megabytes=dict(prepare=size / 1e6),
    )
    return plan_training(plan, cfg, steps)


def plan_training(plan: Plan, cfg: Config, steps: int | None, most: int | None = None) -> Plan:
    """Add the training and the steps behind it to a plan.

    The training has whole epochs: those of the config, in at most ``most`` steps, or in ``steps``.
    """
    stepping, weights = measure_step(cfg)
    loader = cfg.train_dataloader
    whole, rest = divmod(plan.count, loader.batch_size)
    in_epoch = max(1, whole + bool(rest and not loader.get('drop_last')))
    epochs = cfg.train_cfg.max_epochs
    if most is not None:
        epochs = min(epochs, round(most / in_epoch))
    if steps is not None:
        epochs = round(steps / in_epoch)
    epochs = max(2, epochs)  # one to warm up, and one to fall
    warmup = min(cfg.param_scheduler[0].end, max(1, epochs // 20))
    # Features need no gradient, a third of a step.
    embedding = plan.count * stepping / loader.batch_size / 3
    seconds = dict(
        train=epochs * in_epoch * stepping + STARTING,
        evaluate=2 * embedding + 2 * STARTING,
        publish=STARTING / 3,
        gallery=embedding + plan.count * THUMBNAIL + STARTING,
    )
    megabytes = dict(train=4 * weights / 1e6, publish=weights / 3e6, gallery=plan.count * THUMBNAIL)
    return replace(
        plan,
        epochs=epochs,
        warmup=warmup,
        steps=epochs * in_epoch,
        seconds=plan.seconds | seconds,
        megabytes=plan.megabytes | megabytes,
    )


def within(plan: Plan, minutes: float, is_labeled: bool) -> Plan:
    """Shorten a plan to a budget, by fewer frames of the copies and less training.

    Raises:
        ConfigError: The least plan needs more time.
    """
    wanted, in_epoch = 60 * minutes, plan.steps // plan.epochs
    seconds = {step: n for step, n in plan.seconds.items() if is_labeled or step != 'evaluate'}
    counts = dict(targets=plan.frames, train=plan.epochs)
    least = dict(
        targets=min(LEAST_FRAMES, plan.frames),
        train=max(-(-min(LEAST_STEPS, plan.steps) // in_epoch), 2),
    )
    elastic = sorted(seconds.keys() & counts, key=lambda step: least[step] / counts[step])
    while elastic and sum(seconds.values()) > wanted:
        share = 1 + (wanted - sum(seconds.values())) / sum(seconds[step] for step in elastic)
        step = elastic.pop()  # the one that reaches its least first leaves the rest to the other
        kept = max(int(share * counts[step]), least[step])
        seconds[step] *= kept / counts[step]
        counts[step] = kept
    if sum(seconds.values()) > 1.05 * wanted:
        raise ConfigError(
            f'--minutes {minutes:g}: this folder needs {math.ceil(sum(seconds.values()) / 60)} '
            'minutes here, with the fewest frames and steps of use: give that, a smaller folder, '
            'or fewer steps by --steps'
        )
    frames, epochs = counts.values()
    warmup = min(plan.warmup, max(1, epochs // 20))
    plan = replace(plan, epochs=epochs, warmup=warmup, steps=epochs * in_epoch)
    return replace(plan, frames=frames, seconds={**plan.seconds, **seconds})


def _copy_sample(source: Source, folder: Path) -> tuple[list[str], float]:
    """Copy videos of middling size to a folder: their names, and seconds for one of mean size."""
    sizes = {file: file.stat().st_size for file in source.files}
    files = sorted(sizes, key=lambda file: sizes[file])
    middle = len(files) // 2
    near = sorted(range(len(files)), key=lambda place: abs(place - middle))
    names: list[str] = []
    reasons: list[str] = []
    seconds = size = 0.0
    for place in near:
        name = f'{len(names)}.mp4'
        start = time.perf_counter()
        try:
            copy_video(files[place], folder / name, FRAMES, SHORT_SIDE)
            took = time.perf_counter() - start
            _sample_frames(folder, [name], FRAMES)  # the copy may be a link to a torn video
        except BrokenSampleError as error:
            (folder / name).unlink(missing_ok=True)
            reasons.append(f'{files[place]}: {error.reason}')
            continue
        seconds += took
        size += sizes[files[place]]
        names.append(name)
        if len(names) == SAMPLE:
            break
    if not names:
        raise DataError(f'{source.path}: none of {len(files)} videos can be read: {reasons[0]}')
    return names, seconds * sum(sizes.values()) / max(size, 1) / len(files)


def _sample_frames(folder: Path, names: Sequence[str], count: int = 12) -> np.ndarray:
    """Frames of the videos, uint8 ``(N, H, W, 3)``, of one size."""
    frames: list[np.ndarray] = []
    for name in names:
        with VideoReader(folder / name) as reader:
            frames += reader.read(spread_frames(reader.total_frames, count)).values()
    return np.stack([frame for frame in frames if frame.shape == frames[0].shape])


def measure_teachers(
    folder: Path, names: Sequence[str], teachers: Sequence[str]
) -> tuple[float, float]:
    """Extract targets of some videos in this process: seconds and bytes for one.

    Raises:
        ConfigError: The teachers are not one of poses and the recipe's one of images.
    """
    device = find_device()
    built = [build_teacher(config_of(name)).to(device) for name in teachers]
    if [teacher.kind for teacher in built] != ['pose', 'embedding']:
        raise ConfigError(f'--teacher: give one teacher of poses; {IMAGE_TEACHER} is always there')
    frames = torch.from_numpy(_sample_frames(folder, names, 4)).movedim(-1, 1)
    for teacher in built:
        teacher(frames)  # the first pass allocates memory
    caches = [folder / 'targets' / f'{name}.lmdb' for name in ('pose', IMAGE_TEACHER)]
    jobs = [
        ExtractionJob(teacher, cache, config=config_of(name))
        for teacher, cache, name in zip(built, caches, teachers)
    ]
    start = time.perf_counter()
    extract_many(jobs, folder, names)
    seconds = time.perf_counter() - start
    stored = [file.stat().st_blocks for cache in caches for file in cache.iterdir()]
    return seconds / len(names), 512 * sum(stored) / len(names)


def measure_step(cfg: Config) -> tuple[float, float]:
    """Seconds of a training step of a config, data included, and bytes of its weights."""
    cfg.launcher = 'none'
    device = find_device()
    if device == 'cpu':
        fit_to_cpu(cfg)
    init_default_scope('mmact_ssl')
    loader = build_dataloader({**cfg.train_dataloader, 'num_workers': 0}, seed=0)
    model: Any = MODELS.build(cfg.model).to(device).train()
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    loading, training = [], []
    start = time.perf_counter()
    for batch in loader:
        loading.append(time.perf_counter() - start)
        start = time.perf_counter()
        model.train_step(batch, optimizer)
        training.append(time.perf_counter() - start)
        if len(training) == 3:
            break
        start = time.perf_counter()
    # A worker loads while another core trains.
    both = max if CORES > 1 and cfg.train_dataloader.num_workers else sum
    seconds = float(both([min(loading), min(training)]))
    weights = 4.0 * sum(value.numel() for value in model.parameters())
    return seconds, weights
