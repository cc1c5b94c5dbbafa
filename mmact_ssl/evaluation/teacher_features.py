"""The features of a teacher, from its cache: an upper reference for its students."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.data import Split
from mmact_ssl.evaluation.features import Features
from mmact_ssl.targets.cache import TargetReader


def read_teacher(path: str) -> TargetReader:
    """Open a cache whose embeddings can stand for features.

    Raises:
        TargetCacheError: There is none, or it is damaged.
        ConfigError: It holds something else.
    """
    reader = TargetReader(path, command='python tools/extract_targets.py CONFIG --data DATA')
    if reader.meta.kind != 'embedding':
        raise ConfigError(
            f'{path} holds {reader.meta.kind!r}: only embeddings of frames or clips are features'
        )
    return reader


def teacher_features(reader: TargetReader, splits: Mapping[str, Split]) -> dict[str, Features]:
    """Average the teacher's embeddings over all frames of each video (our choice).

    Returns:
        Of each split, in the order of its annotation file.

    Raises:
        TargetCacheError: A video is not in the cache, or its value is damaged.
    """
    return {
        name: Features(
            np.stack([reader.get(reader.find(video)).mean(axis=0) for video in split.names]),
            split.labels,
        )
        for name, split in splits.items()
    }
