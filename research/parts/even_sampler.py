"""Sampler for joined data sets of different sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class EvenSampler(DefaultSampler):
    """Sampler that takes equally many samples of each of several joined data sets in an epoch.

    It goes through each data set in a random order of its own, and draws a new order whenever it
    has taken all samples. So an epoch may be shorter than the data sets, and a small data set comes
    round more often. No sample comes twice in an epoch, where its augmentations would be equal: an
    order that begins within an epoch is rearranged for it, so that over many epochs the samples of
    a data set come about equally often. The order depends only on seed and epoch, so that a run can
    resume within an epoch.

    Args:
        dataset: ``mmengine.ConcatDataset``.
        samples: Number of samples of all data sets together in an epoch. The share of a data set is
            at most its size.
        shuffle: True; False is refused.
        seed: As for DefaultSampler.

    Source: our choice.
    """

    def __init__(
        self, dataset: Any, samples: int, shuffle: bool = True, seed: int | None = None
    ) -> None:
        super().__init__(dataset, shuffle, seed)
        ends = getattr(dataset, 'cumulative_sizes', None)
        if ends is None or not shuffle:
            raise ConfigError(
                f'EvenSampler: draws at random from a ConcatDataset, not from '
                f'{type(dataset).__name__} with shuffle={shuffle}: use sampler=dict('
                "type='DefaultSampler')"
            )
        if samples < 1:
            raise ConfigError(f'EvenSampler: samples={samples}: give a number, 1 or more')
        self.starts = [0, *ends[:-1]]
        self.sizes = np.diff([0, *ends]).tolist()
        if samples > (most := len(self.sizes) * min(self.sizes)):
            raise ConfigError(
                f'EvenSampler: samples={samples} of {len(self.sizes)} data sets would repeat some '
                f'of the smallest, which has {min(self.sizes)}: give at most {most}'
            )
        self.samples = samples
        self.num_samples = -(-samples // self.world_size)
        self.total_size = self.num_samples * self.world_size

    def __iter__(self) -> Iterator[int]:
        """Indices of this process for the current epoch."""
        key = self.seed % 2**64
        taken = range(self.epoch * self.samples, (self.epoch + 1) * self.samples)
        turns: dict[tuple[int, int], np.ndarray] = {}  # {(data set, how often before): order}
        chosen: list[int] = []
        for place in taken:
            count, part = divmod(place, len(self.sizes))
            turn, position = divmod(count, self.sizes[part])
            if (part, turn) not in turns:
                random = np.random.default_rng((key, part, turn))
                order = self.starts[part] + random.permutation(self.sizes[part])
                # Samples of this epoch's turn before come last.
                turns[part, turn] = order[np.argsort(np.isin(order, chosen), kind='stable')]
            chosen.append(int(turns[part, turn][position]))
        order = np.random.default_rng((key, self.epoch)).permutation(chosen)
        # If the samples do not divide evenly, the last processes wrap around to the beginning.
        own = np.arange(self.rank, self.total_size, self.world_size) % len(order)
        yield from order[own].tolist()
