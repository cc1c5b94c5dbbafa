"""Videos to pre-train on, with or without labels."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmaction.datasets import VideoDataset

from mmact_ssl.datasets.label_subset import label_subset
from mmact_ssl.datasets.seeded_samples import SeededSamples, build_pipeline
from mmact_ssl.errors import DataError
from mmact_ssl.registry import DATASETS


@DATASETS.register_module()
class PretextVideoDataset(SeededSamples, VideoDataset):
    """mmaction2's VideoDataset made fit for long runs over unlabeled, imperfect video.

    The annotation file has a line ``path`` or ``path label`` per video, paths relative to
    ``data_prefix['video']``; blank lines are passed over.

    Two differences. Missing folders, annotations and videos are found when the data set is built.
    Broken videos are replaced and all randomness of a sample depends on (seed, epoch, index), see
    SeededSamples.

    Args:
        ann_file: Annotation file.
        pipeline: Configs of the transforms, the last one ``PackPretextInputs``.
        data_prefix: ``video``: folder of the videos.
        label_fraction: Share of every class that keeps its label, as the evaluation protocols draw
            it; the other videos get -1. For supervised heads beside pretext tasks.
        label_seed: Of that draw.
        prepare_command: Command that makes this data set, quoted when something is missing.
        skip_missing: Leave out videos that are missing instead of raising; for lists such as
            Kinetics' of which nobody has all files.
        max_replacements: Broken videos in a row after which the search for a whole one ends.
        test_mode: No replacement: a broken video is an error.
        **kwargs: As for mmengine's BaseDataset.

    Raises:
        ConfigError: ``label_fraction`` is not in (0, 1].
        DataError: Annotation or folder missing, annotation empty or malformed, a video missing.
    """

    sample_kind = 'videos'

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        data_prefix: Mapping[str, str] | None = None,
        label_fraction: float = 1.0,
        label_seed: int = 0,
        prepare_command: str | None = None,
        skip_missing: bool = False,
        max_replacements: int = 10,
        test_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        self.label_fraction = label_fraction
        self.label_seed = label_seed
        self.prepare_command = prepare_command
        self.skip_missing = skip_missing
        self.init_seeded_samples(max_replacements)
        # The pipeline is built last: if nothing was prepared yet, the folder of the videos is the
        # first thing to name, not the target cache that a transform opens.
        super().__init__(
            ann_file,
            pipeline=[],
            data_prefix=dict(data_prefix or {'video': ''}),
            test_mode=test_mode,
            **kwargs,
        )
        self.pipeline = build_pipeline(pipeline)
        self.check_names()

    def load_data_list(self) -> list[dict]:
        """Read the annotation file; one dict of ``filename`` and ``label`` (-1: none) per video."""
        if not os.path.isfile(self.ann_file):
            raise DataError(f'annotation file {self.ann_file} is missing{self._fix("ann_file")}')
        folder = self.data_prefix.get('video') or ''
        if folder and not os.path.isdir(folder):
            raise DataError(f'video folder {folder} is missing{self._fix("data_prefix[video]")}')
        with open(self.ann_file, encoding='utf-8') as lines:
            data_list = [self._parse(line.strip(), folder) for line in lines if line.strip()]
        if not data_list:
            raise DataError(f'annotation file {self.ann_file} is empty{self._fix("ann_file")}')

        missing = _missing(info['filename'] for info in data_list)
        if missing and (not self.skip_missing or len(missing) == len(data_list)):
            first = next(info['filename'] for info in data_list if info['filename'] in missing)
            raise DataError(
                f'{len(missing)} of {len(data_list)} videos of {self.ann_file} are missing, the '
                f'first is {first}{self._fix("data_prefix[video]")}'
            )
        present = [info for info in data_list if info['filename'] not in missing]
        self._drop_labels(present)
        return present

    def _drop_labels(self, data_list: list[dict]) -> None:
        """Take the labels of those that are not drawn."""
        labeled = [info for info in data_list if info['label'] >= 0]
        if self.label_fraction == 1 or not labeled:
            return
        names = [info['filename'] for info in labeled]
        labels = np.array([info['label'] for info in labeled])
        drawn = set(label_subset(names, labels, self.label_fraction, self.label_seed).tolist())
        for position, info in enumerate(labeled):
            if position not in drawn:
                info['label'] = -1

    def _parse(self, line: str, folder: str) -> dict[str, Any]:
        path, _, label = line.rpartition(self.delimiter)
        if not path or not label.lstrip('-').isdigit():
            path, label = line, '-1'
        return {'filename': os.path.join(folder, path.strip()), 'label': int(label)}

    def _fix(self, argument: str) -> str:
        fix = f': correct {argument}'
        return f'{fix} or run `{self.prepare_command}`' if self.prepare_command else fix


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
