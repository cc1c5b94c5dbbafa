"""SeedByProgressHook."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.model import BaseModel

from mmact_ssl.engine.hooks import seed_by_progress_hook
from mmact_ssl.engine.hooks.seed_by_progress_hook import SeedByProgressHook
from mmact_ssl.errors import ConfigError

DRAWS: list[tuple] = []


class Dataset(BaseDataset):
    """A few samples that tell what they were told."""

    def __init__(self, size=3):
        self.progress = torch.zeros(3, dtype=torch.int64)
        self.lengths = np.arange(size)
        super().__init__()

    def load_data_list(self):
        return [{'index': index} for index in range(len(self.lengths))]

    def get_cat_ids(self, index):
        return [0]

    def set_progress(self, seed, epoch, first):
        self.progress.share_memory_()
        self.progress[:] = torch.tensor([seed, epoch, first])

    def __getitem__(self, index):
        seed, epoch, first = self.progress.tolist()
        return {'inputs': torch.tensor([seed, epoch, first + index])}


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, mode='loss'):
        draws = (random.random(), np.random.rand(), torch.rand(1).item())
        DRAWS.append((tuple(inputs[0].tolist()), draws))
        return {'loss': self.weight * 0}


@pytest.fixture
def train(tmp_path, make_runner):
    """Trains with the hook; what each step was told and drew."""

    def run(name, dataset, epochs=2, seed=7, loader=(), **changes):
        DRAWS.clear()
        order = dict(sampler=dict(type='DefaultSampler', shuffle=False), batch_size=1)
        hooks = dict(logger=None, runtime_info=None)
        changes = dict(default_hooks=hooks, randomness=dict(seed=seed), **changes)
        loader = {**order, **dict(loader)}
        hook = SeedByProgressHook()
        make_runner(
            tmp_path / name, Model(), dataset, [hook], epochs, loader=loader, **changes
        ).train()
        return list(DRAWS)

    return run


@pytest.mark.parametrize('num_workers', [0, 1])
def test_the_data_set_learns_seed_and_epoch_in_time(train, num_workers):
    loader = dict(num_workers=num_workers, persistent_workers=num_workers > 0)
    draws = train('run', Dataset(), loader=loader)
    assert [told for told, _ in draws] == [(7, e, i) for e in range(2) for i in range(3)]


def test_data_sets_in_wrappers_learn_it_and_how_many_samples_come_before(train):
    draws = train('run', ConcatDataset([Dataset(3), Dataset(2), Dataset(1)]))
    assert [told for told, _ in draws] == [(7, e, i) for e in range(2) for i in range(6)]


def test_a_resumed_run_keeps_order_and_draws_whatever_seed_it_is_given(train):
    def run(name, epochs, **changes):
        loader = {'sampler': {'type': 'DefaultSampler', 'shuffle': True}}
        return train(name, Dataset(8), epochs, loader=loader, **changes)

    whole, first = run('whole', 3), run('parts', 1)
    assert len({told[2] for told, _ in whole[:8]}) == 8
    assert len({draws for _, draws in whole}) == 24, 'no draw comes twice'
    torch.manual_seed(1)
    assert first + run('parts', 3, resume=True, seed=1) == whole
    other = run('other', 1, seed=1)
    assert not {draws for _, draws in other} & {draws for _, draws in whole}
    assert [told[2] for told, _ in other] != [told[2] for told, _ in first], 'the seed decides'


def test_processes_with_seeds_of_their_own_shuffle_alike(train, monkeypatch):
    """As with diff_rank_seed: each would take its share of another order."""
    loader = {'sampler': {'type': 'DefaultSampler', 'shuffle': True}}

    def order(name, seed):
        return [told[2] for told, _ in train(name, Dataset(8), 1, loader=loader, seed=seed)]

    expected = order('first', 3)
    monkeypatch.setattr(
        seed_by_progress_hook, 'broadcast_object_list', lambda values: values.__setitem__(0, 3)
    )
    assert order('second', 4) == expected


def test_the_same_sample_twice_an_epoch_is_refused(train):
    """It would be augmented alike both times."""
    for wrapped in (RepeatDataset(Dataset(), 2), ClassBalancedDataset(Dataset(), 0.5)):
        with pytest.raises(ConfigError, match='Dataset would give the same augmented samples'):
            train('run', wrapped)


def test_a_loop_of_iterations_is_refused(train):
    with pytest.raises(ConfigError, match='StepsTrainLoop'):
        train('run', Dataset(), train_cfg=dict(by_epoch=False, max_iters=3))
