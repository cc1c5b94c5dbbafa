# SPDX-License-Identifier: Apache-2.0
"""Videos to pre-train on, with or without labels."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmaction.datasets import VideoDataset
from mmengine.dataset import Compose

from mmact_ssl.datasets.errors import BrokenSampleError
from mmact_ssl.errors import DataError
from mmact_ssl.registry import DATASETS, SCOPE, TRANSFORMS


@DATASETS.register_module()
class PretextVideoDataset(VideoDataset):
    """mmaction2's VideoDataset made fit for long runs over unlabelled, imperfect video.

    The annotation file has a line `path` or `path label` per video, paths relative to
    `data_prefix['video']`; blank lines are passed over.

    Three differences. Missing folders, annotations and videos are found when the data set is
    built. A video that raises BrokenSampleError is replaced by another one, drawn from the same
    seed, and the sample says so in its meta information `replaced`. All randomness of a sample
    depends on (seed, epoch, index) alone, whichever process makes it: mmengine seeds workers by
    their number, which draws the same augmentations anew in every epoch and others after a
    resume. `SeedByProgressHook` sets seed and epoch.

    Args:
        ann_file: Annotation file.
        pipeline: Configs of the transforms, the last one `PackPretextInputs`.
        data_prefix: `video`: folder of the videos.
        prepare_command: Command that makes this data set, quoted when something is missing.
        skip_missing: Leave out videos that are missing instead of raising; for lists such as
            Kinetics' of which nobody has all files.
        max_replacements: Broken videos in a row after which the search for a whole one ends.
        test_mode: No replacement: a broken video is an error.
        **kwargs: As for mmengine's BaseDataset.

    Raises:
        DataError: Annotation or folder missing, annotation empty or malformed, a video missing.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        data_prefix: Mapping[str, str] | None = None,
        prepare_command: str | None = None,
        skip_missing: bool = False,
        max_replacements: int = 10,
        test_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        self.prepare_command = prepare_command
        self.skip_missing = skip_missing
        self.max_replacements = max_replacements
        # In shared memory, so that workers that live through several epochs see the change.
        self._progress = torch.zeros(2, dtype=torch.int64).share_memory_()
        # The pipeline is built last: if nothing was prepared yet, the folder of the videos is the
        # first thing to name, not the target cache that a transform opens.
        super().__init__(
            ann_file,
            pipeline=[],
            data_prefix=dict(data_prefix or {'video': ''}),
            test_mode=test_mode,
            **kwargs,
        )
        # By default mmengine looks for transforms in the scope that the last runner was built with.
        # mmaction2's ColorJitter draws the order of its steps when built: always the same one.
        with seeded((0,)):
            self.pipeline = Compose(
                [
                    TRANSFORMS.build({'_scope_': SCOPE, **part}) if isinstance(part, dict) else part
                    for part in pipeline
                ]
            )

    def set_progress(self, seed: int, epoch: int) -> None:
        """Set what the randomness of the samples depends on, in this process and its workers."""
        if not self._progress.is_shared():  # a copy of the data set has a tensor of its own
            self._progress.share_memory_()
        self._progress[0] = seed
        self._progress[1] = epoch

    def load_data_list(self) -> list[dict]:
        """Read the annotation file; one dict of `filename` and `label` (-1: none) per video."""
        if not os.path.isfile(self.ann_file):
            raise DataError(f'annotation file {self.ann_file} is missing{self._mend("ann_file")}')
        folder = self.data_prefix.get('video') or ''
        if folder and not os.path.isdir(folder):
            raise DataError(f'video folder {folder} is missing{self._mend("data_prefix[video]")}')
        with open(self.ann_file, encoding='utf-8') as lines:
            data_list = [self._parse(line.strip(), folder) for line in lines if line.strip()]
        if not data_list:
            raise DataError(f'annotation file {self.ann_file} is empty{self._mend("ann_file")}')

        missing = _missing(info['filename'] for info in data_list)
        if missing and (not self.skip_missing or len(missing) == len(data_list)):
            first = next(info['filename'] for info in data_list if info['filename'] in missing)
            raise DataError(
                f'{len(missing)} of {len(data_list)} videos of {self.ann_file} are missing, the '
                f'first is {first}{self._mend("data_prefix[video]")}'
            )
        return [info for info in data_list if info['filename'] not in missing]

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Make sample `idx`; see PackPretextInputs for its contents."""
        if not self._fully_initialized:
            self.full_init()
        idx = range(len(self))[idx]
        seed, epoch = self._progress.tolist()
        replaced = ''
        for attempt in range(self.max_replacements + 1):
            # The words of the key are unsigned.
            with seeded((seed % 2**64, epoch, idx, attempt)):
                try:
                    results = self.get_data_info(idx if attempt == 0 else self._other(idx))
                    results['replaced'] = replaced
                    return self.pipeline(results)
                except BrokenSampleError as error:
                    if self.test_mode:
                        raise
                    replaced = replaced or str(error)
        raise DataError(
            f'{self.max_replacements + 1} videos of {self.ann_file} in a row are broken, the first '
            f'is {replaced}: check the files'
        )

    def _other(self, idx: int) -> int:
        """Draw an index other than `idx`, if there is one."""
        if len(self) == 1:
            return idx
        return (idx + 1 + np.random.randint(len(self) - 1)) % len(self)

    def _parse(self, line: str, folder: str) -> dict[str, Any]:
        path, _, label = line.rpartition(self.delimiter)
        if not path or not label.lstrip('-').isdigit():
            path, label = line, '-1'
        return {'filename': os.path.join(folder, path.strip()), 'label': int(label)}

    def _mend(self, argument: str) -> str:
        mend = f': correct {argument}'
        return f'{mend} or run `{self.prepare_command}`' if self.prepare_command else mend


@contextmanager
def seeded(key: Sequence[int]) -> Iterator[None]:
    """Seed Python's, numpy's and torch's global generators, and give them back as they were.

    Args:
        key: Non-negative integers; different keys give unrelated draws.
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


def _missing(filenames: Iterator[str]) -> set[str]:
    """Which files do not exist; lists each folder once, quicker than asking for every file."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for filename in filenames:
        by_folder[os.path.dirname(filename)].append(filename)
    missing: set[str] = set()
    for folder, names in by_folder.items():
        present = set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set()
        missing.update(name for name in names if os.path.basename(name) not in present)
    return missing
