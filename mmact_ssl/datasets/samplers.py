"""Samples shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ShardSampler(DefaultSampler):
    """Shuffle samples shard by shard, so that few shards are in use at a time.

    In each epoch the shards are put in a random order and the samples in that of their shards. Each
    process takes a row of its own of them, as long as the others', and shuffles it in pieces of
    ``buffer`` samples. All follows from seed and epoch, so that a run can go on within one.

    Args:
        dataset: With an attribute ``shards``, int (N,), the shard of each sample.
        shuffle, seed: As for DefaultSampler.
        buffer: Samples that are shuffled among each other; let it be those of several shards.

    Source: WebDataset's shuffling; as indices, which can be resumed, our choice.
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
        """Indices of this process for the present epoch."""
        if not self.shuffle:
            yield from super().__iter__()
            return
        key = (self.seed % 2**64, self.epoch)
        random = np.random.default_rng(key)
        places = random.permutation(self.shards.max() + 1)
        order = np.argsort(places[self.shards], kind='stable')
        first = self.rank * self.num_samples
        # The last process goes on at the beginning where the samples do not come out even.
        mine = order[np.arange(first, first + self.num_samples) % len(order)]
        random = np.random.default_rng((*key, self.rank))
        for start in range(0, len(mine), self.buffer):
            yield from random.permutation(mine[start : start + self.buffer]).tolist()
