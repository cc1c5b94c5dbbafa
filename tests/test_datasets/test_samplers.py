"""The samplers, alone, in several processes and inside mmengine's data loader."""

from __future__ import annotations

import numpy as np
import pytest

from mmact_ssl.datasets import ShardSampler
from mmact_ssl.errors import ConfigError


class Sharded:
    """A data set that is nothing but the shard of each sample."""

    def __init__(self, shards):
        self.shards = np.asarray(shards)

    def __len__(self):
        return len(self.shards)


def shard_order(dataset, monkeypatch, epoch=0, rank=0, world_size=1, buffer=20):
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world_size))
    sampler = ShardSampler(dataset, seed=7, buffer=buffer)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert len(order) == len(sampler) and order == list(sampler)
    return np.array(order)


def test_few_shards_are_in_use_at_a_time(monkeypatch):
    dataset = Sharded(np.random.default_rng(0).permutation(np.arange(400) // 10))
    epochs = [shard_order(dataset, monkeypatch, epoch) for epoch in range(2)]
    for order in epochs:
        assert sorted(order) == list(range(400))
        used = [len(set(dataset.shards[order[i : i + 20]])) for i in range(0, 400, 20)]
        assert used == [2] * 20
        # Two shards are mixed, and the shards are in no order.
        assert len(set(dataset.shards[order[:10]])) == 2
        assert len(set(np.diff(dataset.shards[order[::20]]))) > 5
    assert (epochs[0] != epochs[1]).mean() > 0.9
    partners = [
        {frozenset(dataset.shards[order[i : i + 20]]) for i in range(0, 400, 20)}
        for order in epochs
    ]
    assert len(partners[0] & partners[1]) < 5


@pytest.mark.parametrize('samples', [400, 397])
def test_each_process_has_shards_of_its_own(monkeypatch, samples):
    dataset = Sharded(np.arange(samples) // 10)
    parts = [shard_order(dataset, monkeypatch, 1, rank, 4) for rank in range(4)]
    assert {len(part) for part in parts} == {100}
    counts = np.bincount(np.concatenate(parts), minlength=samples)
    assert counts.min() == 1 and counts.sum() == 400
    used = [set(dataset.shards[part]) for part in parts]
    assert sum(map(len, used)) <= 40 + 4 + 1  # of a boundary two know it


def test_a_data_set_without_shards_is_refused():
    with pytest.raises(ConfigError, match='list has no shard for each sample'):
        ShardSampler([1, 2])
