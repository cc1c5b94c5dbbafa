"""EvenSampler, alone and in several processes."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.data import ConcatDataset

from mmact_ssl.errors import ConfigError
from research.parts.even_sampler import EvenSampler


def even_order(sizes, samples, monkeypatch, epoch=0, rank=0, world_size=1):
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world_size))
    joined = ConcatDataset([range(size) for size in sizes])
    sampler = EvenSampler(joined, samples, seed=7)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert len(order) == len(sampler) and order == list(sampler)
    return np.array(order)


def test_joined_sets_count_equally_and_are_gone_through(monkeypatch):
    sizes = [11, 40, 100]
    epochs = [even_order(sizes, 32, monkeypatch, epoch) for epoch in range(15)]
    ends = np.cumsum(sizes)
    counts = [np.bincount(np.searchsorted(ends, e, side='right'), minlength=3) for e in epochs]
    assert all(count.sum() == 32 and np.ptp(count) <= 1 for count in counts)
    times = np.bincount(np.concatenate(epochs), minlength=sum(sizes))  # 160 of each set
    assert set(times[:11]) <= {13, 14, 15} and set(times[11:51]) == {4}
    assert set(times[51:]) <= {1, 2, 3}
    # Most epochs go through the first set to its end and begin again, without a repetition.
    assert all(len(set(epoch)) == 32 for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()
    parts = np.searchsorted(ends, epochs[0], side='right')
    assert (parts != np.arange(32) % 3).any()  # the sets take no turns


def test_processes_share_the_samples_of_joined_sets(monkeypatch):
    whole = even_order([15, 40], 30, monkeypatch, 2)
    parts = [even_order([15, 40], 30, monkeypatch, 2, rank, 4) for rank in range(4)]
    assert {len(part) for part in parts} == {8}
    assert np.array_equal(np.stack(parts, axis=1).ravel()[:30], whole)


def test_even_sampler_refuses_what_it_cannot_read():
    joined = ConcatDataset([range(3), range(4)])
    with pytest.raises(ConfigError, match='not from list with shuffle=True'):
        EvenSampler([0], 4)
    with pytest.raises(ConfigError, match='shuffle=False'):
        EvenSampler(joined, 4, shuffle=False)
    with pytest.raises(ConfigError, match='samples=0'):
        EvenSampler(joined, 0)
    assert len(EvenSampler(joined, 6)) == 6
    with pytest.raises(ConfigError, match='the smallest, which has 3: give at most 6'):
        EvenSampler(joined, 7)
