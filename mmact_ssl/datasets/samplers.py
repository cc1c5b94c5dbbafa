"""Sampler for videos in tar shards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ShardSampler(DefaultSampler):
    """Sampler that shuffles shard by shard, so that few shards are in use at a time.

    In each epoch the sampler shuffles the shards and sorts the samples by shard. Each process takes
    an equal, contiguous slice and shuffles it in pieces of ``buffer`` samples. The order depends
    only on seed and epoch, so that a run can resume within an epoch.

    Args:
        dataset: Data set with an attribute ``shards``, int (N,), the shard of each sample.
        shuffle, seed: As for DefaultSampler.
        buffer: Number of samples that are shuffled together; choose the size of several shards.

    Source: WebDataset's shuffling; shuffling indices, which can be resumed, is our choice.
    """

    def __init__(
        self, dataset: Any, shuffle: bool = True, seed: int | None = None, buffer: int = 8192
    ) -> None:
        super().__init__(dataset, shuffle, seed)
        shards = getattr(dataset, 'shards', None)
        if shards is None or len(shards) != len(dataset):
            raise ConfigError(
                f'ShardSampler: {type(dataset).__name__} has no shard for each sample: use a '
                'PretextVideoDataset of videos in shards without indices or a wrapper, or '
                "sampler=dict(type='DefaultSampler', shuffle=True)"
            )
        self.shards: np.ndarray = shards
        self.buffer = buffer

    def __iter__(self) -> Iterator[int]:
        """Indices of this process for the current epoch."""
        if not self.shuffle:
            yield from super().__iter__()
            return
        key = (self.seed % 2**64, self.epoch)
        random = np.random.default_rng(key)
        places = random.permutation(self.shards.max() + 1)
        order = np.argsort(places[self.shards], kind='stable')
        first = self.rank * self.num_samples
        # If the samples do not divide evenly, the last process wraps around to the beginning.
        indices = order[np.arange(first, first + self.num_samples) % len(order)]
        random = np.random.default_rng((*key, self.rank))
        for start in range(0, len(indices), self.buffer):
            yield from random.permutation(indices[start : start + self.buffer]).tolist()
