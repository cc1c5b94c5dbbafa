"""Data set of videos for pre-training, with or without labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmaction.datasets import VideoDataset

from mmact_ssl.datasets.label_subset import drop_labels
from mmact_ssl.datasets.seeded_samples import SeededSamples
from mmact_ssl.datasets.shards import members, split_path
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import dangling, is_remote, read_annotation, video_path
from mmact_ssl.registry import DATASETS


@DATASETS.register_module()
class PretextVideoDataset(SeededSamples, VideoDataset):
    """mmaction2's VideoDataset for long runs over unlabeled videos, some of them broken.

    The annotation file has a line ``path`` or ``path label`` per video, with paths relative to
    ``data_prefix['video']``; blank lines are skipped. A video may be in a tar shard, and
    ``data_prefix['video']`` an address of shards; see :mod:`mmact_ssl.datasets.shards`.

    It differs from VideoDataset in two points. Building it raises an error for a missing folder,
    annotation or video; for videos in shards it checks only that the shards exist, and on a server
    only the first shard. Broken videos are replaced, and all randomness of a sample depends on
    (seed, epoch, index), see SeededSamples.

    Args:
        data_prefix: ``video``: folder of the videos.
        skip_missing: Leave out missing videos instead of raising; for lists such as Kinetics',
            whose videos are not all available any more.
        **kwargs: As for SeededSamples and mmengine's BaseDataset.

    Attributes:
        shards: int64 (N,), index of the shard of each video; None unless all are in shards.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        data_prefix: Mapping[str, str] | None = None,
        skip_missing: bool = False,
        **kwargs: Any,
    ) -> None:
        self.skip_missing = skip_missing
        super().__init__(ann_file, pipeline, data_prefix=dict(data_prefix or {}), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the annotation file: a dict of ``filename`` and ``label`` (-1: none) per video."""
        names, labels = read_annotation(self.ann_file, self._fix('ann_file'))
        folder = self.data_prefix.get('video') or ''
        if folder and not is_remote(folder) and not os.path.isdir(folder):
            raise DataError(f'video folder {folder} is missing: {self._fix("data_prefix[video]")}')
        paths = [video_path(folder, name) for name in names]
        missing = _missing(paths)
        if missing and (not self.skip_missing or len(missing) == len(set(paths))):
            first = next(name for name, path in zip(names, paths) if path in missing)
            why = dangling(os.path.join(folder, first)) or self._fix('data_prefix[video]')
            if len(missing) < len(set(paths)):
                why += '; or leave them out by skip_missing=True of the data set'
            raise DataError(
                f'{len(missing)} of {len(paths)} videos of {self.ann_file} are missing, the '
                f'first is {video_path(folder, first)}: {why}'
            )
        present = [
            {'filename': path, 'label': label}
            for path, label in zip(paths, labels)
            if path not in missing
        ]
        self.shards = _number_shards([path for path in paths if path not in missing])
        drop_labels(present, self.label_fraction, self.label_seed)
        return present

    def _fix(self, argument: str) -> str:
        fix = f'correct {argument}'
        return f'{fix} or run `{self.prepare_command}`' if self.prepare_command else fix


def read_video_list(ann_file: str, folder: str) -> list[dict]:
    """Read an annotation file to mmaction2's dicts, of ``filename`` and ``label``."""
    labeled = zip(*read_annotation(ann_file, 'correct ann_file'))
    return [dict(filename=video_path(folder, name), label=label) for name, label in labeled]


def _number_shards(filenames: Sequence[str]) -> np.ndarray | None:
    numbers: dict[str, int] = {}
    parts = [split_path(filename) for filename in filenames]
    if None in parts:
        return None
    return np.array([numbers.setdefault(part[0], len(numbers)) for part in parts if part])


def _missing(filenames: Sequence[str]) -> set[str]:
    """Files that do not exist. Listing each folder once is faster than a check per file.

    A video in a shard is missing if the shard is. On a server only the first shard is checked.
    """
    if is_remote(filenames[0]):
        if not (parts := split_path(filenames[0])):
            raise ConfigError(f'{filenames[0]}: videos on a server must be in tar shards')
        members(parts[0])
        return set()
    files = {filename: (split_path(filename) or (filename,))[0] for filename in filenames}
    folders = {os.path.dirname(file) for file in files.values()}
    present = {
        (folder, name)
        for folder in folders
        if os.path.isdir(folder or '.')
        for name in os.listdir(folder or '.')
    }
    return {filename for filename, file in files.items() if os.path.split(file) not in present}
