"""Repeatable randomness and replacement of broken samples for all pre-training data sets."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose

from mmact_ssl.errors import BrokenSampleError, DataError
from mmact_ssl.io.files import sha256_of
from mmact_ssl.registry import SCOPE, TRANSFORMS


class SeededSamples(BaseDataset):
    """Mixin of mmengine data sets; put it before the data set's class in the list of bases.

    All randomness of a sample depends only on (seed, epoch, index), not on the process that makes
    it; in a ConcatDataset, index counts the samples of all members. mmengine instead seeds workers
    by their number, which repeats the same augmentations in every epoch and draws others after a
    resume. ``SeedByProgressHook`` calls ``set_progress`` before each epoch.

    A sample that raises BrokenSampleError is replaced by another one, drawn from the same seed, and
    ``results['replaced']`` gives the reason. In test mode the error is raised.

    Transforms with a method ``check_names(filenames)`` get the names of all samples.

    Args:
        ann_file: Annotation file. Target caches lie in the folder ``targets`` beside it.
        pipeline: Transforms. Names of other packages' transforms need a scope, ``mmaction.…``.
        prepare_command: Command that makes this data set; errors about missing files quote it.
        label_fraction: Share of every class that keeps its label, as the evaluation protocols draw
            it; the other samples get -1. For supervised heads beside pretext tasks.
        label_seed: Seed of that draw.
        **kwargs: As for the data set's class.
    """

    # True: seed by (0, 0, index) until `set_progress` is called. False: draw from the process's own
    # generators until then, so that a run without the hook does not repeat its augmentations.
    seeded_from_start = True
    max_replacements = 10  # broken ones in place of a sample; then there is an error

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        prepare_command: str | None = None,
        label_fraction: float = 1.0,
        label_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.prepare_command = prepare_command
        self.label_fraction, self.label_seed = label_fraction, label_seed
        # Seed, epoch, index of the first sample, and 1 once they are set. In shared memory, so that
        # workers that live for several epochs see changes.
        self._progress = torch.zeros(4, dtype=torch.int64).share_memory_()
        # The pipeline is built last: if nothing is prepared yet, the error should name the folder
        # of the samples, not the target cache that a transform opens.
        super().__init__(ann_file, pipeline=[], **kwargs)
        root = os.path.dirname(self.ann_file)
        videos = self.data_prefix.get('video') or ''
        self.pipeline = build_pipeline(pipeline, root, videos)
        for transform in self.pipeline.transforms:
            if hasattr(transform, 'check_names'):
                transform.check_names(self._filenames())

    def set_progress(self, seed: int, epoch: int, first: int = 0) -> None:
        """Set the seed and epoch of the samples' randomness, in this process and its workers.

        ``first`` is the index of this data set's first sample among all joined data sets.
        """
        if not self._progress.is_shared():  # the tensor of a copied data set is not shared
            self._progress.share_memory_()
        self._progress[:] = torch.tensor([seed, epoch, first, 1])

    def _filenames(self) -> Iterator[str]:
        for index in range(len(self)):
            # The base class's method; a data set's own may read the sample.
            yield BaseDataset.get_data_info(self, index)['filename']

    @cached_property
    def names_hash(self) -> str:
        """Hash of the samples' names in their order, independent of the videos' folder."""
        folder = self.data_prefix.get('video') or ''
        names = (name.removeprefix(folder).lstrip('/') for name in self._filenames())
        return sha256_of('\n'.join(names))[:16]

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Make sample ``idx`` by the pipeline."""
        idx = range(len(self))[idx]
        seed, epoch, first, is_set = self._progress.tolist()
        replaced = ''
        for attempt in range(self.max_replacements + 1):
            # Keys must be unsigned.
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
            f'{self.max_replacements + 1} samples of {self.ann_file} in a row are '
            f'broken, the first is {replaced}: check the files'
        )

    def _other(self, idx: int) -> int:
        """Draw an index other than ``idx``, if there is one."""
        if len(self) == 1:
            return idx
        return (idx + 1 + np.random.randint(len(self) - 1)) % len(self)


def build_pipeline(
    pipeline: Sequence[dict | Callable], root: str = '', videos: str = ''
) -> Compose:
    """Build transforms in this package's scope, independent of the last runner's.

    Args:
        root: Folder of the data set, in which LoadTargets opens its cache.
        videos: Folder to which the annotated names of videos are relative.
    """
    transforms = []
    with seeded((0,)):  # equal in all processes
        for part in pipeline:
            transform: Any = part
            if isinstance(part, dict):
                transform = TRANSFORMS.build({'_scope_': SCOPE, **part})
            if hasattr(transform, 'bind'):
                transform.bind(root, videos)
            transforms.append(transform)
    return Compose(transforms)


def with_inner(dataset: Any, first: int = 0) -> Iterator[tuple[Any, int]]:
    """Yield a data set and the data sets in its attributes ``dataset`` or ``datasets``.

    With each it yields the index of its first sample. Of a data set that a wrapper uses in part
    (torch's Subset) all samples count.
    """
    yield dataset, first
    for part in getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]:
        if part is not None:
            inner = list(with_inner(part, first))
            yield from inner
            first = max(start + len(member) for member, start in inner)


@contextmanager
def seeded(key: Sequence[int]) -> Iterator[None]:
    """Seed Python's, numpy's and torch's global generators, and restore them afterwards.

    Different keys of equal length, of integers from 0 to 2**32 - 1, give unrelated draws. numpy
    pads keys of fewer than four words with zeros: (5, 0, 7) draws as (5, 0, 7, 0) does.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.default_generator.manual_seed(int(words[2]))  # torch.manual_seed would also seed CUDA
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
