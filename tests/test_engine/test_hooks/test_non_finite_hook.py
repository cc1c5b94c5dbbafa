"""NonFiniteHook."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from torch import nn

from mmact_ssl.engine.hooks.momentum_copy_hook import MomentumCopyHook
from mmact_ssl.engine.hooks.non_finite_hook import NonFiniteHook, _are_finite
from mmact_ssl.engine.runner import PretrainRunner
from mmact_ssl.errors import TrainingError
from mmact_ssl.models.momentum.copy import MomentumCopy
from tests.helpers.processes import in_two_processes
from tests.test_engine.test_optimizers import MIXED, TwoSided, batches, build

NAN = float('nan')


class Factors(torch.utils.data.Dataset):
    """Samples that multiply the loss."""

    def __init__(self, factors):
        self.factors = factors

    def __len__(self):
        return len(self.factors)

    def __getitem__(self, index):
        sample = ActionDataSample(metainfo={'filename': f'{index}.mp4', 'replaced': ''})
        return {'inputs': torch.tensor(self.factors[index]), 'data_samples': sample}


class Model(BaseModel):
    """Two tasks on a weight and its copy, an adversary, and a running statistic of what it saw."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.discriminator = nn.Parameter(torch.ones(1))
        self.register_buffer('seen', torch.zeros(1))
        self.copy = MomentumCopy(nn.ParameterList([self.weight]), momentum=0.5)

    def momentum_pairs(self):
        return [(self.copy, nn.ParameterList([self.weight]))]

    def forward(self, inputs, data_samples=None, mode='loss'):
        factor = torch.stack(list(inputs))
        self.seen += factor.mean()
        good = self.weight.square().sum() + self.discriminator.square().sum()
        # The gradient of the square root is infinite at 0, the loss itself is not.
        poses = (self.weight * factor.mean()).abs().sqrt().sum()
        return {'good/loss': good, 'poses/loss': poses}


OPTIMIZERS = {
    'plain': dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
    'adversarial': dict(
        constructor='AdversarialOptimWrapperConstructor',
        optimizer=dict(type='AdamW', lr=0.1),
        adversary=dict(optimizer=dict(type='Adam', lr=0.1)),
    ),
}


@pytest.fixture
def train(make_runner, tmp_path):
    def train(factors, epochs=1, optimizer='plain', hook=None, **options):
        runner = make_runner(
            tmp_path / 'run',
            Model(),
            Factors(factors),
            hooks=[hook or NonFiniteHook(), MomentumCopyHook()],
            epochs=epochs,
            runner_class=PretrainRunner,
            loader=dict(batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False)),
            optim_wrapper=OPTIMIZERS[optimizer],
            **options,
        )
        runner.train()
        return runner

    return train


def state(runner):
    found = [value.clone() for value in runner.model.state_dict().values()]
    for wrapper in getattr(runner.optim_wrapper, 'values', lambda: [runner.optim_wrapper])():
        for values in wrapper.optimizer.state.values():
            found += [value.clone() for value in values.values()]
    return found


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
@pytest.mark.parametrize('factor', [NAN, 0.0])
def test_a_wrong_step_leaves_everything_as_if_it_had_not_been(train, factor, optimizer):
    good = state(train([1.0, 2.0], optimizer=optimizer))
    runner = train([1.0, factor, 2.0], optimizer=optimizer)
    assert all(torch.equal(a, b) for a, b in zip(good, state(runner)))
    assert runner.message_hub.runtime_info['skipped_steps'] == 1


def test_large_gradients_are_finite():
    assert _are_finite([torch.full((9,), 1e30), torch.zeros(2, 2)])
    assert not _are_finite([torch.tensor([1e30, torch.inf])])
    assert not _are_finite([torch.ones(2), torch.tensor(NAN)])


def test_many_in_a_row_stop_the_run_and_no_checkpoint_is_written(train, tmp_path):
    with pytest.raises(
        TrainingError, match=r'3 steps in a row .* step 4: loss, poses/loss .*lower optim'
    ):
        train([1.0, NAN, NAN, NAN, 1.0], hook=NonFiniteHook(max_in_a_row=2))
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_weights_that_are_not_finite_are_never_saved(train, tmp_path):
    hook = NonFiniteHook()
    hook.after_train_iter = lambda runner, *_, **__: runner.model.weight.data.fill_(torch.inf)
    with pytest.raises(TrainingError, match='weights are not finite in epoch 1'):
        train([1.0], hook=hook)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_the_count_survives_a_resume(train, tmp_path):
    factors = [1.0, NAN, *[1.0] * 30]
    train(factors)
    runner = train(factors, epochs=2, resume=True)
    assert runner.message_hub.runtime_info['skipped_steps'] == 2


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
def test_accumulated_gradients_are_skipped_as_one_step(train, optimizer, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, optimizer, {**OPTIMIZERS[optimizer], 'accumulative_counts': 3})
    good = state(train([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], optimizer=optimizer))
    factors = [1.0, 2.0, 3.0, NAN, NAN, NAN, 4.0, 5.0, 6.0]
    # mmengine scales the losses of the last steps by how many there are in all.
    runner = train(factors, optimizer=optimizer, hook=NonFiniteHook(max_in_a_row=1))
    assert all(torch.equal(a, b) for a, b in zip(good, state(runner)))
    assert runner.message_hub.runtime_info['skipped_steps'] == 1


def one_process(rank, folder):
    messages, hub, model = [], MessageHub('test_non_finite'), Model()
    runner = SimpleNamespace(
        model=model,
        message_hub=hub,
        iter=0,
        logger=SimpleNamespace(warning=messages.append),
        optim_wrapper=SimpleNamespace(should_update=lambda: True),
    )
    hook = NonFiniteHook()
    hook.before_train_iter(runner, 0)
    model.seen += 1
    sample = ActionDataSample(metainfo={'filename': f'of_rank_{rank}.mp4'})
    loss = torch.tensor(NAN if rank else 1.0)
    hook.after_train_iter(runner, 0, {'data_samples': [sample]}, {'a/loss': loss})
    assert model.seen == 0
    assert 'a/loss not finite (samples of_rank_1.mp4)' in messages[0]


def test_all_processes_skip_what_one_finds_wrong(tmp_path):
    in_two_processes(one_process, tmp_path)


def test_an_infinite_loss_of_a_finite_gradient_takes_no_half_of_the_step_back(train, monkeypatch):
    """Weights and buffers stay together."""
    good = state(train([1.0, 2.0]))
    forward = Model.forward
    monkeypatch.setattr(
        Model,
        'forward',
        lambda self, *given, **named: {
            name: value + torch.inf for name, value in forward(self, *given, **named).items()
        },
    )
    assert all(torch.equal(a, b) for a, b in zip(good, state(train([1.0, 2.0]))))


@pytest.mark.usefixtures('amp_on_cpu')
@pytest.mark.parametrize('wrong', ['student', 'adversary'])
def test_in_mixed_precision_the_scale_skips_the_side_that_overflows_alone(wrong):
    model, hook, messages = TwoSided(), NonFiniteHook(max_in_a_row=1), []
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=build(model, MIXED),
        message_hub=MessageHub('scaled'),
        iter=0,
        logger=SimpleNamespace(warning=messages.append),
    )
    hook.before_train(runner)

    def step(student: float = 1.0, adversary: float = 1.0) -> set[str]:
        """Factors multiply the sides' losses; returns the sides that moved."""
        before = {name: value.clone() for name, value in model.state_dict().items()}
        hook.before_train_iter(runner, 0)
        losses = model.sides(batches(1)[0])
        runner.optim_wrapper.update_params(student * losses[0] + adversary * losses[1])
        hook.after_train_iter(runner, 0, {}, {'loss': torch.ones(())})
        moved = [n for n, v in model.state_dict().items() if not torch.equal(v, before[n])]
        return {'adversary' if name.startswith('head') else 'student' for name in moved}

    both = {'student', 'adversary'}
    assert step() == both
    assert step(**{wrong: torch.inf}) == both - {wrong}
    assert runner.optim_wrapper['student'].loss_scaler.get_scale() == 32
    assert step() == both
    assert len(messages) == (wrong == 'student')
    step(NAN, NAN)
    with pytest.raises(TrainingError, match='2 steps in a row are skipped'):
        step(NAN, NAN)
