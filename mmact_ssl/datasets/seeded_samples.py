"""Repeatable randomness and stand-ins for broken samples, of all pre-training data sets."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from mmact_ssl.compat import fix_color_jitter
from mmact_ssl.errors import BrokenSampleError, ConfigError, DataError
from mmact_ssl.registry import SCOPE, TRANSFORMS


class SeededSamples(BaseDataset):
    """Mixin for mmengine data sets, written before the data set's class in the list of bases.

    All randomness of a sample depends on (seed, epoch, index) alone, whichever process makes it (in
    a ConcatDataset the index among the samples of all members):
    mmengine seeds workers by their number, which draws the same augmentations anew in every epoch
    and others after a resume. ``SeedByProgressHook`` calls ``set_progress`` before each epoch.

    A sample that raises BrokenSampleError is replaced by another one, drawn from the same seed, and
    ``results['replaced']`` gives the reason; in test mode it is an error.

    Transforms with a method ``check_names(filenames)`` are shown the names of all samples.

    Args:
        ann_file: Annotation file. Target caches lie in the folder ``targets`` beside it.
        pipeline: Transforms; those of other packages are written with their scope, ``mmaction.…``.
        prepare_command: Command that makes this data set, quoted when something is missing.
        label_fraction: Share of every class that keeps its label, as the evaluation protocols draw
            it; the other samples get -1. For supervised heads beside pretext tasks.
        label_seed: Seed of that draw.
        max_replacements: Broken samples in a row after which the search for a whole one ends.
        target_caches: Target -> cache that LoadTargets reads in place of its own. A command line
            names it: ``train_dataloader.dataset.target_caches.prompt=other.lmdb``.
        **kwargs: As for the data set's class.

    Source: our choice.
    """

    # Seed by (0, 0, index) until `set_progress` is called. Where False, samples draw from the
    # process's own generators until then, so that a run without the hook does not repeat one
    # augmentation in all epochs.
    seeded_from_start = True
    sample_kind = 'samples'  # in error messages

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        prepare_command: str | None = None,
        label_fraction: float = 1.0,
        label_seed: int = 0,
        max_replacements: int = 10,
        target_caches: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.prepare_command = prepare_command
        self.max_replacements = max_replacements
        self.label_fraction, self.label_seed = label_fraction, label_seed
        # Seed, epoch, samples before these, and whether they were set. In shared memory, so that
        # workers that live through several epochs see the change.
        self._progress = torch.zeros(4, dtype=torch.int64).share_memory_()
        # The pipeline is built last: if nothing was prepared yet, the folder of the samples is the
        # first thing to name, not the target cache that a transform opens.
        super().__init__(ann_file, pipeline=[], **kwargs)
        root = os.path.dirname(self.ann_file)
        videos = self.data_prefix.get('video') or ''
        self.pipeline = build_pipeline(pipeline, root, target_caches, videos)
        self._check_names()

    def set_progress(self, seed: int, epoch: int, first: int = 0) -> None:
        """Set what the randomness of the samples depends on, in this process and its workers.

        ``first`` is the index of the first of them among those of all joined data sets.
        """
        if not self._progress.is_shared():  # a copy of the data set has a tensor of its own
            self._progress.share_memory_()
        self._progress[:] = torch.tensor([seed, epoch, first, 1])

    def full_init(self) -> None:
        """Read the annotation, if that was put off by ``lazy_init``."""
        if not self._fully_initialized:
            super().full_init()
            self._check_names()

    def _check_names(self) -> None:
        """Have the transforms check the names, once there are both."""
        if not self._fully_initialized:
            return
        for transform in self.pipeline.transforms:
            if hasattr(transform, 'check_names'):
                # Of the base class: a data set's own method may read the sample.
                infos = (BaseDataset.get_data_info(self, index) for index in range(len(self)))
                transform.check_names(info['filename'] for info in infos)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Make sample ``idx``: what the last transform of the pipeline returns."""
        if not self._fully_initialized:
            self.full_init()
        idx = range(len(self))[idx]
        seed, epoch, first, is_set = self._progress.tolist()
        replaced = ''
        for attempt in range(self.max_replacements + 1):
            # The words of the key are unsigned.
            key = (seed % 2**64, epoch, first + idx, attempt)
            with seeded(key) if is_set or self.seeded_from_start else nullcontext():
                try:
                    results = self.get_data_info(idx if attempt == 0 else self._other(idx))
                    results['replaced'] = replaced
                    return self.pipeline(results)
                except BrokenSampleError as error:
                    if self.test_mode:
                        raise
                    replaced = replaced or str(error)
        raise DataError(
            f'{self.max_replacements + 1} {self.sample_kind} of {self.ann_file} in a row are '
            f'broken, the first is {replaced}: check the files'
        )

    def _other(self, idx: int) -> int:
        """Draw an index other than ``idx``, if there is one."""
        if len(self) == 1:
            return idx
        return (idx + 1 + np.random.randint(len(self) - 1)) % len(self)


def build_pipeline(
    pipeline: Sequence[dict | Callable],
    root: str = '',
    caches: Mapping[str, str] | None = None,
    videos: str = '',
) -> Compose:
    """Build transforms in this package's scope, whatever the last runner's; others name theirs.

    LoadTargets opens its cache, or that which ``caches`` {target: cache} names, in the data set's
    folder ``root``; the annotated names of videos start from ``videos``. ConfigError if a target of
    ``caches`` is not loaded.
    """
    caches = caches or {}
    transforms, loaded = [], set()
    with seeded((0,)):  # alike in all processes
        for part in pipeline:
            transform: Any = part
            if isinstance(part, dict):
                before = _generators()
                transform = TRANSFORMS.build({'_scope_': SCOPE, **part})
                if _generators() != before:
                    print_log(
                        f'{part["type"]}: a part of it draws random numbers when it is built, and '
                        'keeps them for all samples',
                        'current',
                        logging.WARNING,
                    )
            if hasattr(transform, 'bind'):
                transform.cache = caches.get(transform.target, transform.cache)
                loaded.add(transform.target)
                transform.bind(root, videos)
            transforms.append(transform)
    fix_color_jitter()
    unread = sorted(caches.keys() - loaded)
    if unread:
        raise ConfigError(f'target_caches: no LoadTargets of the pipeline loads {unread}')
    return Compose(transforms)


def tell_progress(dataset: Any, seed: int, epoch: int) -> None:
    """Call ``set_progress`` of a data set and of those inside, as far as they have it."""
    for part, first in with_inner(dataset):
        if hasattr(part, 'set_progress'):
            part.set_progress(seed, epoch, first)


def with_inner(dataset: Any, first: int = 0) -> Iterator[tuple[Any, int]]:
    """A data set and those inside wrappers that keep theirs in ``dataset`` or ``datasets``.

    Beside each the number of samples that come before its own. All samples of a data set count, if
    only some of them are in the wrapper (torch's Subset).
    """
    yield dataset, first
    for part in getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]:
        if part is not None:
            inner = list(with_inner(part, first))
            yield from inner
            first = max(before + len(one) for one, before in inner)


def _generators() -> tuple[Any, ...]:
    """States of Python's, numpy's and torch's global generators, to compare."""
    numpy_state: Any = np.random.get_state()
    _, keys, *position = numpy_state
    return random.getstate(), keys.tobytes(), position, torch.get_rng_state().numpy().tobytes()


@contextmanager
def seeded(key: Sequence[int]) -> Iterator[None]:
    """Seed Python's, numpy's and torch's global generators, and give them back as they were.

    Different keys of one length, of integers from 0 to 2**32 - 1, give unrelated draws. numpy fills
    keys of fewer than four words with zeros: (5, 0, 7) draws as (5, 0, 7, 0) does.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.default_generator.manual_seed(int(words[2]))  # torch.manual_seed would reach for CUDA
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
