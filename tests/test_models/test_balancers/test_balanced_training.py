"""Balancers inside the trainer: adversarial losses, accumulation, two optimizers, two GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

import mmact_ssl  # noqa: F401  the fixes
from mmact_ssl.engine.optimizers import AdversarialOptimWrapperConstructor
from mmact_ssl.models.backbones.skeleton_gru import SkeletonGRU
from mmact_ssl.models.balancers.balancer import FixedWeights
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from tests.helpers.heads import make_pretrainer
from tests.helpers.processes import in_two_processes

BALANCERS = ('FixedWeights', 'PCGrad', 'UncertaintyWeights')


class Backbone(nn.Module):
    """No batch statistics, so that two halves of a batch make a whole one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 1)
        self.last = nn.Conv3d(4, 4, 1)

    def forward(self, frames: Tensor) -> Tensor:
        return self.last(self.stem(frames).tanh())


class Head(PretextHead):
    def __init__(self, aim: float) -> None:
        super().__init__(dict(feature_map='clip.feature_map'))
        self.aim = aim
        self.classifier = nn.Conv3d(4, 1, 1)

    def terms(self, feature_map: Tensor) -> dict[str, Term]:
        return dict(
            loss=Term((self.classifier(feature_map) - self.aim).square().flatten(1).mean(1))
        )


class AdversarialHead(Head):
    def __init__(self, aim: float) -> None:
        super().__init__(aim)
        self.discriminator = nn.Linear(4, 1)

    def terms(self, feature_map: Tensor) -> dict[str, Term]:
        fake = feature_map.mean((2, 3, 4))
        frozen = nn.functional.linear(fake, self.discriminator.weight.detach())
        return dict(
            **super().terms(feature_map),
            loss_generator=Term(-frozen.mean(1) - 50),
            loss_discriminator=Term(self.discriminator(fake.detach()).square().mean(1)),
        )


def make(balancer: dict, adversarial: bool = False) -> MultiTaskPretrainer:
    torch.manual_seed(0)
    up = AdversarialHead if adversarial else Head
    heads = dict(up=dict(type=up, aim=3.0), down=dict(type=Head, aim=-3.0))
    return make_pretrainer(heads, std=128.0, backbone=dict(type=Backbone), balancer=balancer)


def batch(index: int, part: slice = slice(None)) -> dict:
    generator = torch.Generator().manual_seed(index)
    clips = list(torch.randint(256, (8, 3, 2, 3, 3), generator=generator, dtype=torch.uint8))
    return dict(inputs=dict(clip=clips[part]), targets={}, data_samples=None)


def train(model: nn.Module, part: slice = slice(None)) -> None:
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05))
    for index in range(3):
        model.train_step(batch(index, part), wrapper)


class Recorder(FixedWeights):
    """Keeps what it was given."""

    def forward(self, losses, progress, gradients, sizes):
        self.given = losses, gradients, sizes
        return super().forward(losses, progress, gradients, sizes)


def test_a_balancer_gets_tasks_gradients_and_sizes_without_adversarial_losses():
    model = make(dict(type=Recorder, weights=dict(up=2.0)), adversarial=True)
    assert model.balancer.tasks == ('up', 'down')
    outputs = model(**model.data_preprocessor(batch(0)), mode='loss')
    losses, gradients, sizes = model.balancer.given
    assert list(losses) == list(sizes) == gradients.tasks == ['up', 'down']
    parts = {name: value for name, value in outputs.items() if name.startswith('up/')}
    assert len(parts) == 3
    torch.testing.assert_close(losses['up'].detach(), sum(parts.values()))
    assert torch.equal(sizes['up'], outputs['up/loss'])
    assert torch.equal(sizes['down'], losses['down'])
    assert not any(size.requires_grad for size in sizes.values())
    assert gradients.gram().shape == (2, 2)


@pytest.mark.parametrize('name', BALANCERS)
def test_two_optimizers_and_accumulation(name):
    """A step after every second batch; the discriminator gets its own gradient, weighted."""
    model = make(dict(type=f'mmact_ssl.{name}'), adversarial=True)
    optimizer = dict(type='SGD', lr=0.01)
    wrapper = AdversarialOptimWrapperConstructor(
        dict(optimizer=optimizer, adversary=dict(optimizer=optimizer), accumulative_counts=2)
    )(model)
    wrapper.initialize_count_status(model, 0, 8)
    for index in range(4):
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        logs = model.train_step(batch(index), wrapper)
        assert logs['loss'].isfinite()
        moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
        assert moved == (set(before) if index % 2 else set())


def test_a_packed_gru_is_differentiated_more_than_once():
    """Its backward pass is written by hand and must not use up what it has kept."""
    results = []
    for measured in (False, True):
        torch.manual_seed(0)
        backbone = SkeletonGRU(layout='kinect20', num_persons=1, hidden_size=8)
        skeletons = torch.randn(4, 1, 6, 20, 3)
        valid = torch.arange(6) < torch.tensor([6, 3, 5, 6])[:, None]
        features = backbone(skeletons, valid[:, None])
        losses = dict(one=features.square().mean(), two=(features - 1).abs().mean())
        if measured:
            SharedGradients(losses, [features], backbone, '').gram()
        sum(losses.values()).backward()
        results.append([parameter.grad for parameter in backbone.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*results))


def test_two_processes_equal_one_with_the_whole_batch(tmp_path: Path):
    """mmengine's distributed train_step: the same numbers on both, those of all samples."""
    first, second = in_two_processes(train_as_one_of_two, tmp_path)
    model = make(dict(type='mmact_ssl.PCGrad'))
    start = {key: value.clone() for key, value in model.state_dict().items()}
    train(model)
    for key, value in model.state_dict().items():
        assert torch.equal(first[key], second[key]), key
        torch.testing.assert_close(first[key], value, rtol=1e-4, atol=1e-5)
        assert not torch.equal(value, start[key]), key


def train_as_one_of_two(rank: int, folder: Path) -> dict[str, Tensor]:
    """Train on this process's half of each batch; the weights."""
    wrapped = MMDistributedDataParallel(make(dict(type='mmact_ssl.PCGrad')), device_ids=None)
    train(wrapped, slice(4 * rank, 4 * rank + 4))
    return wrapped.module.state_dict()
