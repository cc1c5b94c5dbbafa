"""The pre-trainer's momentum encoder, adapters that tasks share, and the hook that moves copies."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.runner import Runner
from torch import Tensor, nn

from mmact_ssl.engine.hooks.momentum_copy_hook import MomentumCopyHook
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from tests.helpers.heads import make_pretrainer

ADAPTER = dict(type='mmact_ssl.ConvolutionAdapter', in_channels=4, out_channels=2)


class NormalizingBackbone(BaseModule):
    """A convolution and a batch normalization, set anew by ``init_weights``."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(3, 4, 1)
        self.norm = nn.BatchNorm3d(4)

    def forward(self, frames: Tensor) -> Tensor:
        return self.norm(self.convolution(frames))

    def init_weights(self) -> None:
        nn.init.normal_(self.convolution.weight)


class DistanceHead(PretextHead):
    """Squared distance of two maps; keeps what it was given."""

    def __init__(self, query: str, key: str, momentum: float | None = None) -> None:
        super().__init__(dict(query=query, key=key))
        self.layer = nn.Linear(2, 2)
        self.follower = None if momentum is None else MomentumCopy(self.layer, momentum)
        self.given: dict[str, Tensor] = {}
        self.steps = 0

    def after_step(self) -> None:
        self.steps += 1

    def momentum_pairs(self):
        return [] if self.follower is None else [(self.follower, self.layer)]

    def terms(self, **inputs: Tensor) -> dict[str, Term]:
        self.given = inputs
        pooled = {name: value.flatten(2).mean(2) for name, value in inputs.items()}
        return dict(loss=Term((self.layer(pooled['query']) - pooled['key']).square().mean(1)))


def make(**changes) -> MultiTaskPretrainer:
    torch.manual_seed(0)
    one, two = (
        dict(type=DistanceHead, query=f'clip.{name}', key=f'clip_b.momentum_{name}')
        for name in ('first', 'second')
    )
    config = dict(
        backbone=dict(type=NormalizingBackbone),
        heads=dict(one=dict(one, momentum=0.9), two=two),
        adapters=dict(first=ADAPTER, second=ADAPTER),
        momentum_encoder=dict(views=('clip_b',), momentum=0.9),
        encode=('clip',),
    )
    return make_pretrainer(views=('clip', 'clip_b'), std=100.0, **(config | changes))


def started(**changes) -> MultiTaskPretrainer:
    """In training, with copies of its weights."""
    model = make(**changes).train()
    for follower, source in model.momentum_pairs():
        follower.start(source)
    return model


def make_data(seed: int = 0) -> dict:
    generator = torch.Generator().manual_seed(seed)
    return dict(
        inputs={
            view: [
                torch.randint(256, (3, 2, 4, 4), generator=generator, dtype=torch.uint8)
                for _ in range(2)
            ]
            for view in ('clip', 'clip_b')
        },
        data_samples=[None, None],
    )


def losses(model: MultiTaskPretrainer, seed: int = 0) -> dict[str, Tensor]:
    return model(**model.data_preprocessor(make_data(seed)), mode='loss')


class Collect(Hook):
    """The student's and the copies' weights after each iteration."""

    def __init__(self) -> None:
        self.student, self.layer, self.encoder, self.projector, self.steps = [], [], [], [], []

    def before_train(self, runner: Runner) -> None:
        self.after_train_iter(runner)

    def after_train_iter(self, runner: Runner, *_, **__) -> None:
        model, head = runner.model, runner.model.heads['one']
        encoder = model.momentum_encoder.module['backbone']
        self.student.append(model.backbone.convolution.weight.detach().clone())
        self.layer.append(head.layer.weight.detach().clone())
        self.encoder.append(encoder.convolution.weight.clone())
        self.projector.append(head.follower.module.weight.clone())
        self.steps.append(torch.tensor(head.steps))


def train(work_dir, epochs: int, accumulate: int = 1, **options) -> Collect:
    """Four iterations an epoch, of fixed data."""
    collect = Collect()
    Runner(
        model=make(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=[make_data(seed) for seed in range(4)],
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
            collate_fn=lambda samples: samples[0],
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=0.05, weight_decay=0.5), accumulative_counts=accumulate
        ),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        custom_hooks=[MomentumCopyHook(), collect],
        randomness=dict(seed=0),
        experiment_name=str(work_dir),
        **options,
    ).train()
    return collect


def test_the_copies_move_once_a_step_and_start_as_the_initialized_student(tmp_path):
    """Also that of a head's linear layer, at the pace of the encoder's statistics."""
    seen = train(tmp_path, epochs=2)
    for sources, copies in ((seen.student, seen.encoder), (seen.layer, seen.projector)):
        assert len(copies) == 9
        torch.testing.assert_close(copies[0], sources[0], rtol=0, atol=0)
        expected = sources[0].double()
        for updates, (source, copied) in enumerate(zip(sources[1:], copies[1:]), 1):
            share = min(0.9, (1 + updates) / (10 + updates))
            expected = share * expected + (1 - share) * source.double()
            torch.testing.assert_close(copied.double(), expected, rtol=1e-5, atol=1e-6)


def test_while_gradients_accumulate_it_stands_still(tmp_path):
    seen = train(tmp_path, epochs=1, accumulate=2)
    for kind in (seen.student, seen.encoder, seen.projector, seen.steps):
        moved = [not torch.equal(one, next_one) for one, next_one in itertools.pairwise(kind)]
        assert moved == [False, True, False, True]


def test_keys_are_made_in_evaluation_mode_without_gradient_or_learning():
    model = started()
    student = {name: value.clone() for name, value in model.state_dict().items()}
    losses(model)['loss'].backward()
    head = model.heads['one']
    assert not head.given['key'].requires_grad and head.given['query'].requires_grad
    copy_keys = [name for name in student if name.startswith('momentum_encoder.')]
    assert len(copy_keys) > 8
    for name in copy_keys:
        assert torch.equal(student[name], model.state_dict()[name]), name
    assert all(p.grad is None for p in model.momentum_encoder.parameters())
    assert not any(module.training for module in model.momentum_encoder.modules())
    # As the student in evaluation mode, view by view.
    twin = copy.deepcopy(model.backbone).eval()
    twin.load_state_dict(model.momentum_encoder.module['backbone'].state_dict())
    inputs = model.data_preprocessor(make_data())['inputs']
    expected = model.adapters['first'](twin(inputs['clip_b']))
    torch.testing.assert_close(head.given['key'], expected)


def test_without_its_hook_training_is_refused():
    with pytest.raises(
        ConfigError, match="add momentum=dict.type='MomentumCopyHook'. to default_hooks"
    ):
        losses(make().train())


def test_tasks_that_share_an_adapter_read_one_and_the_same_map():
    model = started(adapters=dict(first=ADAPTER, second='first'))
    assert list(model.adapters) == ['first']
    losses(model)
    one, two = model.heads['one'].given, model.heads['two'].given
    assert one['query'] is two['query'] and one['key'] is two['key']


def test_a_copy_that_is_older_or_newer_than_the_features_it_projects_is_refused():
    differs = r'heads.one.momentum=0.9 differs from model.momentum_encoder.momentum=0.5, .*: give'
    with pytest.raises(ConfigError, match=differs):
        make(momentum_encoder=dict(views=('clip_b',), momentum=0.5))
    own = dict(type=DistanceHead, query='clip.first', key='clip.second', momentum=0.5)
    make(heads=dict(one=own))  # it copies for itself, and does not read the momentum encoder
