"""Orders of the samples: batches of clips of similar length; shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from torch.utils.data import Sampler

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class LengthBucketBatchSampler(Sampler):
    """Put clips of similar length into one batch, so that little of it is padding.

    The sampler's shuffled order is cut into pools of ``pool_batches`` batches, each pool sorted by
    length and cut into batches, and the order of all batches shuffled. Batches depend on the
    sampler's seed and epoch alone. In distributed training each process sorts its own share; the
    order of batches is shuffled alike in all, so that at each step they work on clips of like
    length and do not wait for each other.

    To use it, keep ``sampler=dict(type='DefaultSampler', shuffle=True)`` and ``batch_size`` in the
    data loader and add ``batch_sampler=dict(type='LengthBucketBatchSampler')``.

    Args:
        sampler: Mmengine's DefaultSampler, shuffling, of a data set with an attribute ``lengths``
            (N,), the frames of each clip. mmengine passes it, and ``batch_size``.
        pool_batches: Batches in a pool. 1 sorts nothing; the more, the less padding and the less
            random the batches. Of NW-UCLA's training clips in batches of 32, 68 % of the padded
            frames are padding with 1, 24 % with 8, 13 % with 16, 7 % with 32 (all of it).

    Source: bucketing as usual in speech and translation; the pool is our choice.
    """

    def __init__(self, sampler: DefaultSampler, batch_size: int, pool_batches: int = 16) -> None:
        if not isinstance(sampler, DefaultSampler) or not sampler.shuffle:
            raise ConfigError(
                'LengthBucketBatchSampler changes the order of the data: set '
                "sampler=dict(type='DefaultSampler', shuffle=True), or drop batch_sampler"
            )
        lengths = getattr(sampler.dataset, 'lengths', None)
        if lengths is None or len(lengths) != len(sampler.dataset):
            raise ConfigError(
                f'LengthBucketBatchSampler: {type(sampler.dataset).__name__} has no lengths, one '
                'for each clip: use SkeletonDataset without a wrapper, or drop batch_sampler'
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.pool_batches = pool_batches
        self.lengths = np.asarray(lengths)

    def __iter__(self) -> Iterator[list[int]]:
        """Batches of indices for the sampler's present epoch."""
        order = np.fromiter(self.sampler, dtype=np.int64)
        batches: list[np.ndarray] = []
        pool_size = self.pool_batches * self.batch_size
        for start in range(0, len(order), pool_size):
            pool = order[start : start + pool_size]
            pool = pool[np.argsort(self.lengths[pool], kind='stable')]
            batches += [
                pool[first : first + self.batch_size]
                for first in range(0, len(pool), self.batch_size)
            ]
        # Not the rank: all processes shuffle alike.
        random = np.random.default_rng((self.sampler.seed % 2**64, self.sampler.epoch))
        for position in random.permutation(len(batches)):
            yield batches[position].tolist()

    def __len__(self) -> int:
        """Number of batches of this process."""
        return -(-len(self.sampler) // self.batch_size)


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
