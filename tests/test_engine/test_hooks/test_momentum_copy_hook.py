"""Queues and copies of a run that starts from a checkpoint.

How copies move is in ``tests/test_models/test_pretrainer/test_momentum_encoder.py``.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmact_ssl.engine.hooks.momentum_copy_hook import MomentumCopyHook
from mmact_ssl.engine.optimizers import AdversarialOptimWrapper
from mmact_ssl.models.balancers.balancer import UncertaintyWeights
from mmact_ssl.models.balancers.teacher_weights import LearnedTeacherWeights
from mmact_ssl.models.heads.consistency import ConsistencyHead
from mmact_ssl.models.necks.target_pooling import RunningStandardizer


class Model(nn.Module):
    """A head with a queue, whose projector has gone on since the copy of it was made."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = ConsistencyHead(4, 'appearance', queue_size=5, hidden_dim=8, embedding_dim=6)

    def momentum_pairs(self):
        return self.head.momentum_pairs()


def trained() -> Model:
    """One with three keys in its queue."""
    model = Model()
    for copy, source in model.momentum_pairs():
        copy.start(source)
    model.head.queue.enqueue(torch.ones(3, 6), torch.ones(3, 3, dtype=torch.int64))
    with torch.no_grad():
        model.head.projector[0].weight += 1
    return model


def before_train(model: nn.Module, resumed: bool = False) -> None:
    wrapper = OptimWrapper(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1))
    runner = SimpleNamespace(model=model, _resume=resumed, optim_wrapper=wrapper)
    MomentumCopyHook().before_train(runner)


def test_a_copy_waits_for_a_step_that_moves_the_student():
    model, adversary = trained(), nn.Linear(2, 1)
    ((copy, source),) = model.momentum_pairs()
    sides = {
        name: OptimWrapper(torch.optim.SGD(part.parameters(), lr=0.1))
        for name, part in dict(student=model, adversary=adversary).items()
    }
    wrapper = AdversarialOptimWrapper(**sides)
    runner = SimpleNamespace(model=model, _resume=True, optim_wrapper=wrapper)
    MomentumCopyHook().before_train(runner)

    assert copy.n_averaged == 1, 'no step'
    adversary(torch.ones(1, 2)).sum().backward()
    sides['adversary'].step()
    assert copy.n_averaged == 1, 'a step of the adversary alone'
    sides['student'].step()
    assert copy.n_averaged == 1, 'a step without gradients'
    next(source.parameters()).sum().backward()
    sides['student'].step()
    assert copy.n_averaged == 2


def test_weights_of_another_run_bring_neither_its_keys_nor_its_copy():
    model = Model()
    model.load_state_dict(trained().state_dict())
    before_train(model)
    for name, value in model.head.queue.state_dict().items():
        assert not value.any(), name
    for copy, source in model.momentum_pairs():
        assert copy.started and copy.n_averaged == 1
        for name, value in source.state_dict().items():
            assert torch.equal(value, copy.module.state_dict()[name]), name


def test_a_resumed_run_brings_both():
    model, before = Model(), trained().state_dict()
    model.load_state_dict(before)
    before_train(model, resumed=True)
    assert model.head.queue.filled.sum() == 3
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def learned_modules() -> dict[str, nn.Module]:
    """Modules with what a run has learned beside the student: weights, and means of targets."""
    uncertainty = UncertaintyWeights(tasks=('motion', 'jigsaw'))
    teachers, standardizer = LearnedTeacherWeights(('action', 'pose')), RunningStandardizer(3)
    with torch.no_grad():
        for value in (*uncertainty.parameters(), teachers.logits):
            value.add_(0.5)
    standardizer(torch.randn(8, 3) + 50)
    return dict(balancer=uncertainty, teachers=teachers, targets=standardizer)


@pytest.mark.parametrize('name', learned_modules())
def test_a_module_learns_anew_unless_the_run_is_resumed(name):
    """Of another run it would know losses and targets that were never this one's."""
    module = learned_modules()[name]
    learned = {key: value.clone() for key, value in module.state_dict().items()}
    before_train(nn.ModuleDict(dict(part=module)), resumed=True)
    assert all(torch.equal(value, learned[key]) for key, value in module.state_dict().items())
    before_train(nn.ModuleDict(dict(part=module)))
    state = module.state_dict()
    assert any(not torch.equal(value, learned[key]) for key, value in state.items())
    assert name == 'targets' or not any(value.any() for value in state.values())
