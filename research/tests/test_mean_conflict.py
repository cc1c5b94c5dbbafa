"""The tasks' mean gradients, against those of the mean loss over all batches."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from research.gradient_conflict import epoch_after_epoch, mean_gradient_conflict


class Backbone(nn.Module):
    """Two layers, of which the hook on conflicts would read the last alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(3, 5, 1)
        self.last = nn.Conv3d(5, 4, 1)

    def forward(self, frames: Tensor) -> Tensor:
        return self.last(self.first(frames).tanh())


class Aim(PretextHead):
    """Wants the map's mean to be some number."""

    inputs = dict(feature_map='clip.feature_map')

    def __init__(self, aim: float) -> None:
        super().__init__()
        self.aim = aim

    def terms(self, feature_map: Tensor) -> dict[str, Term]:
        return dict(loss=Term((feature_map.flatten(1).mean(1) - self.aim).square()))


def make_model(**heads: dict) -> MultiTaskPretrainer:
    torch.manual_seed(0)
    followed = dict(momentum_encoder=dict(views=('clip',))) if 'follow' in heads else {}
    with DefaultScope.overwrite_default_scope('mmact_ssl'):
        return MultiTaskPretrainer(
            backbone=dict(type=Backbone),
            heads=heads,
            data_preprocessor=dict(
                type='PretextDataPreprocessor', mean=[0.5] * 3, std=[0.5] * 3, views=('clip',)
            ),
            **followed,
        )


UP, DOWN = dict(type=Aim, aim=2.0), dict(type=Aim, aim=-1.0)


def make_batches(number: int) -> list[dict]:
    generator = torch.Generator().manual_seed(1)
    return [
        dict(inputs=dict(clip=torch.rand(3, 3, 2, 4, 4, generator=generator)), targets={})
        for _ in range(number)
    ]


def slow_gradients(model: MultiTaskPretrainer, batches: list[dict]) -> dict[str, Tensor]:
    gradients = {}
    for name, head in model.tasks.items():
        model.zero_grad()
        for batch in batches:
            feature_map = model.backbone(model.data_preprocessor(batch, True)['inputs']['clip'])
            # A momentum copy that no training has started yet is the student as it is.
            given = dict(feature_map=feature_map, key=feature_map.detach())
            losses = head.loss(**{name: given[name] for name in head.inputs})
            (losses['loss'] / len(batches)).backward()
        gradients[name] = torch.cat([p.grad.flatten() for p in model.backbone.parameters()])
    return {name: gradient.clone() for name, gradient in gradients.items()}


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a.double() @ b.double() / (a.double().norm() * b.double().norm()))


def test_it_is_the_cosine_of_the_gradients_of_the_mean_loss():
    model, batches = make_model(up=UP, down=DOWN), make_batches(5)
    model(**model.data_preprocessor(batches[0], True), mode='loss')
    before = copy.deepcopy(model.state_dict())
    found = mean_gradient_conflict(model, batches, 5)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.shared_weights is None and model.loss_observers == []
    whole = slow_gradients(model, batches)
    even, odd = slow_gradients(model, batches[::2]), slow_gradients(model, batches[1::2])
    assert found == {
        'mean_gradient/up~down': pytest.approx(cosine(whole['up'], whole['down']), abs=1e-5),
        'mean_gradient/up/halves': pytest.approx(cosine(even['up'], odd['up']), abs=1e-5),
        'mean_gradient/down/halves': pytest.approx(cosine(even['down'], odd['down']), abs=1e-5),
    }
    assert found['mean_gradient/up~down'] < -0.9


def test_a_model_with_a_momentum_encoder_is_measured():
    class Follow(PretextHead):
        inputs = dict(feature_map='clip.feature_map', key='clip.momentum_feature_map')

        def terms(self, feature_map: Tensor, key: Tensor) -> dict[str, Term]:
            return dict(loss=Term((feature_map - key - 1).square().flatten(1).mean(1)))

    model, batches = make_model(up=UP, follow=dict(type=Follow)), make_batches(2)
    found = mean_gradient_conflict(model, batches, 2)
    assert not model.momentum_encoder.started, 'the model stays as it is'
    gradients = slow_gradients(model, batches).values()
    assert found['mean_gradient/up~follow'] == pytest.approx(cosine(*gradients), abs=1e-5)


def test_too_few_batches_are_refused():
    for number in (0, 1, 4):
        with pytest.raises(ConfigError, match='--batches'):
            mean_gradient_conflict(make_model(up=UP), make_batches(3), number)


class Loader:
    """Two batches an epoch, and what it was told."""

    def __init__(self) -> None:
        self.told: list = []
        self.dataset = SimpleNamespace(set_progress=lambda *key: self.told.append(key))
        self.sampler = SimpleNamespace(set_epoch=self.told.append)

    def __iter__(self):
        return iter([0, 1])


def test_each_epoch_is_told_to_data_set_and_sampler():
    loader = Loader()
    batches = epoch_after_epoch(loader, seed=3)
    assert [next(batches) for _ in range(5)] == [0, 1, 0, 1, 0]
    assert loader.told == [(3, 0, 0), 0, (3, 1, 0), 1, (3, 2, 0), 2]
