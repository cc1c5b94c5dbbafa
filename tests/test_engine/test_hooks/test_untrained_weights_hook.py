"""UntrainedWeightsHook."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import ConfigError


class Model(BaseModel):
    """Two layers, of which the loss reads the first or both, and a discriminator."""

    def __init__(self, reads: int = 2, weight: float = 1.0, frozen: int = 0):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1))
        for layer in self.backbone[2 - frozen :]:
            layer.requires_grad_(False)
        self.discriminator = nn.Linear(1, 1)
        self.reads, self.weight = reads, weight

    def forward(self, inputs, mode='loss', **_):
        value = torch.stack(list(inputs))[:, None]
        for layer in self.backbone[: self.reads]:
            value = layer(value)
        adversary = self.discriminator(value.detach().mean(1, keepdim=True)).square().sum()
        return {'loss': self.weight * value.square().sum(), 'loss_adversary': adversary}


ADVERSARY = dict(constructor='AdversarialOptimWrapperConstructor')
ACCUMULATED = dict(accumulative_counts=2)


def train(make_runner, folder, optimizer=(), **model):
    data = [{'inputs': torch.ones(()) * number} for number in range(1, 9)]
    wrapper = dict(optimizer=dict(type='SGD', lr=0.01), **dict(optimizer))
    runner = make_runner(
        folder,
        Model(**model),
        data,
        [dict(type='UntrainedWeightsHook'), dict(type='NonFiniteHook')],
        runner_class=PretrainRunner,
        optim_wrapper=wrapper,
    )
    before = [value.clone() for value in runner.model.parameters()]
    try:
        runner.train()
    finally:
        changed = [not torch.equal(*pair) for pair in zip(before, runner.model.parameters())]
    return runner.iter, changed


@pytest.mark.parametrize(
    'optimizer', [{}, ADVERSARY, ACCUMULATED], ids=['one', 'two', 'accumulated']
)
def test_a_layer_that_no_loss_reads_stops_the_run(make_runner, tmp_path, optimizer):
    with pytest.raises(ConfigError, match=r'2 of 4 trainable .* \(40% .* \(1\.weight, 1\.bias\)'):
        train(make_runner, tmp_path, optimizer, reads=1)
    iterations, changed = train(make_runner, tmp_path, optimizer)
    assert iterations == 4 and all(changed)


def test_frozen_layers_and_tasks_of_no_weight_yet_are_no_fault(make_runner, tmp_path):
    iterations, changed = train(make_runner, tmp_path / 'frozen', reads=1, frozen=1)
    assert iterations == 4 and changed == [True, True, False, False, True, True]
    assert train(make_runner, tmp_path / 'later', weight=0.0)[0] == 4


def test_a_first_step_that_is_not_finite_is_not_taken_for_one_without_gradients(
    make_runner, tmp_path
):
    iterations, changed = train(make_runner, tmp_path, weight=float('nan'))
    assert iterations == 4 and not any(changed)
