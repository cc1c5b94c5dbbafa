"""The samplers, alone, in several processes and inside mmengine's data loader."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import DefaultSampler, InfiniteSampler

from mmact_ssl.datasets import LengthBucketBatchSampler, ShardSampler
from mmact_ssl.errors import ConfigError


class Clips:
    """A data set that is nothing but its lengths."""

    def __init__(self, lengths):
        self.lengths = np.asarray(lengths)

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        return int(self.lengths[index])


def log_normal(clips, seed=0):
    return np.random.RandomState(seed).lognormal(3.4, 0.6, clips).astype(int).clip(1, 201)


def sampler_of(dataset, seed=0, rank=0, world_size=1):
    """A DefaultSampler as it would be in process ``rank`` of ``world_size``."""
    sampler = DefaultSampler(dataset, shuffle=True, seed=seed)
    sampler.rank = rank
    sampler.num_samples = -(-len(dataset) // world_size)
    sampler.total_size = sampler.num_samples * world_size
    sampler.world_size = world_size
    return sampler


def padding_share(batches, lengths):
    longest = sum(len(batch) * lengths[batch].max() for batch in batches)
    return 1 - sum(lengths[batch].sum() for batch in batches) / longest


@settings(max_examples=40, deadline=None)
@given(
    clips=st.integers(1, 200),
    batch_size=st.integers(1, 20),
    pool_batches=st.integers(1, 6),
    epoch=st.integers(0, 3),
)
def test_every_clip_comes_once(clips, batch_size, pool_batches, epoch):
    sampler = sampler_of(Clips(log_normal(clips)))
    sampler.set_epoch(epoch)
    buckets = LengthBucketBatchSampler(sampler, batch_size, pool_batches)
    batches = list(buckets)
    assert len(batches) == len(buckets)
    seen = [index for batch in batches for index in batch]
    assert len(seen) == len(set(seen))
    assert len(seen) == clips
    assert sorted(map(len, batches))[1:] == [batch_size] * (len(batches) - 1)


def test_clips_of_like_length_meet():
    lengths = log_normal(1020)
    shares = {
        pool: padding_share(
            list(LengthBucketBatchSampler(sampler_of(Clips(lengths)), 32, pool)), lengths
        )
        for pool in (1, 16, 32)
    }
    assert shares[1] > 0.6 and shares[16] < 0.15 and shares[32] < 0.08


def test_epoch_and_seed_decide():
    def batches(seed, epoch):
        sampler = sampler_of(Clips(log_normal(300)), seed=seed)
        sampler.set_epoch(epoch)
        return list(LengthBucketBatchSampler(sampler, 16, 4))

    assert batches(0, 1) == batches(0, 1)
    for other in (batches(0, 2), batches(1, 1)):
        assert batches(0, 1) != other
        # Other clips meet, not only the order of the batches is another.
        assert {frozenset(batch) for batch in other} != {frozenset(b) for b in batches(0, 1)}
    # And the incomplete batch comes at another time.
    places = {[len(batch) for batch in batches(0, epoch)].index(300 % 16) for epoch in range(8)}
    assert len(places) > 3


@pytest.mark.parametrize('clips', [960, 961])
def test_processes_step_together(clips):
    lengths = log_normal(clips, seed=1)
    shares = [
        list(LengthBucketBatchSampler(sampler_of(Clips(lengths), 0, rank, 3), 8, 8))
        for rank in range(3)
    ]
    assert len({len(batches) for batches in shares}) == 1
    assert len({tuple(map(len, batches)) for batches in shares}) == 1
    seen = {index for batches in shares for batch in batches for index in batch}
    assert seen == set(range(clips))
    # At a step all work on clips of like length.
    longest = np.array([[lengths[batch].max() for batch in batches] for batches in shares])
    assert np.corrcoef(longest[0], longest[1])[0, 1] > 0.7


def test_wrong_uses_are_named():
    dataset = Clips([1, 2, 3])
    for sampler in (
        DefaultSampler(dataset, shuffle=False, seed=0),
        InfiniteSampler(dataset, seed=0),
    ):
        with pytest.raises(ConfigError, match=r"sampler=dict\(type='DefaultSampler', shuffle=True"):
            LengthBucketBatchSampler(sampler, 2)
    with pytest.raises(ConfigError, match='list has no lengths'):
        LengthBucketBatchSampler(sampler_of([1, 2, 3]), 2)


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
    with pytest.raises(ConfigError, match='Clips has no shard for each sample'):
        ShardSampler(Clips([1, 2]))
