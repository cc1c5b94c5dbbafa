"""Heads of any number of views: pairs, streams, targets, gradients, chance and named inputs."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.guidance import TeacherGuidanceHead
from mmact_ssl.models.heads.views import ContrastHead, RedundancyHead, SelfDistillationHead
from mmact_ssl.models.losses.statistics import feature_std
from tests.helpers.heads import slow_network

SIZES = dict(views=('one', 'two'), hidden_dim=8, embedding_dim=5)


DINO = dict(type='CenteredCrossEntropyLoss', channels=5, temperature=0.5, target_temperature=0.2)


# Head, its settings, and the chance of a batch of six clips.
HEADS = dict(
    pair=(ContrastHead, dict(target='pair'), 1 / 11),
    mean=(ContrastHead, dict(target='mean'), 1 / 11),
    barlow=(RedundancyHead, dict(hidden_layers=1), 1 / 6),
    vicreg=(RedundancyHead, dict(hidden_layers=1, loss=dict(type='VICRegLoss')), 1 / 6),
    byol=(SelfDistillationHead, dict(predictor_dim=7), 1 / 6),
    simsiam=(SelfDistillationHead, dict(predictor_dim=7, momentum=None), 1 / 6),
    dino=(SelfDistillationHead, dict(predictor_dim=None, prototypes=5, loss=DINO), 1 / 6),
)


def make(name: str, in_channels: int = 4, **changes) -> nn.Module:
    kind, settings, _ = HEADS[name]
    torch.manual_seed(0)
    head = kind(in_channels, **{**SIZES, **settings, **changes})
    for copy, source in head.momentum_pairs():
        copy.start(source)
    return head


def draw(head: nn.Module, seed: int, shared: float = 0.0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    both = shared * torch.randn(6, 4, generator=generator)
    return {name: both + torch.randn(6, 4, generator=generator) for name in head.inputs}


@pytest.mark.parametrize('name', ['pair', 'mean', 'barlow', 'vicreg'])
def test_the_loss_is_the_mean_over_pairs_of_views_or_over_each_with_their_mean(name):
    """Each view is a batch of its own for the projector."""
    head = make(name, views=('one', 'two', 'three'))
    pooled = {view: 10 * i + value for i, (view, value) in enumerate(draw(head, 0, 1.0).items())}
    projected = [slow_network(head.projectors[0], values) for values in pooled.values()]
    pairs = list(combinations(projected, 2))
    if name == 'mean':
        pairs = [(view, sum(projected) / 3) for view in projected]
    parts = [head.loss_module(*pair) for pair in pairs]
    found = head.loss(**pooled)
    for part in parts[0]:
        if part != 'hit':
            expected = sum(float(one[part].mean()) for one in parts) / 3
            assert float(found[part]) == pytest.approx(expected, rel=1e-3, abs=1e-4), part


def test_the_gradient_of_a_contrast_with_the_mean_flows_through_the_mean_too():
    """A view's gradient also comes from being part of what the others are held against."""
    head = make('mean')
    pooled = {view: value.requires_grad_() for view, value in draw(head, 0, 1.0).items()}
    learning = list(pooled.values())
    projected = torch.stack([head.projectors[0](values) for values in learning])
    gradients = []
    for target in (projected.mean(0), projected.mean(0).detach()):
        loss = sum(head.loss_module(z, target)['loss'].mean() for z in projected) / 2
        gradients.append(torch.autograd.grad(loss, learning, retain_graph=True))
    got = torch.autograd.grad(head.loss(**pooled)['loss'], learning)
    for one, through, around in zip(got, *gradients):
        torch.testing.assert_close(one, through)
        assert not torch.allclose(one, around, rtol=0.01)


@pytest.mark.parametrize('name', HEADS)
def test_streams_are_heads_of_their_own_that_are_summed(name):
    """Each on its part of the features: also to the gradient."""
    head = make(name, streams=2)
    pooled = {view: value.requires_grad_() for view, value in draw(head, 0, 0.5).items()}
    losses, hits = [], []
    for stream in range(2):
        alone = make(name, 2)
        state = {
            key.replace(f's.{stream}.', 's.0.').replace(f'module.{stream}.', 'module.0.'): value
            for key, value in head.state_dict().items()
            if f's.{stream}.' in key or f'module.{stream}.' in key
        }
        alone.load_state_dict(state, strict=False)
        part = slice(2 * stream, 2 * stream + 2)
        found = alone.loss(**{view: value[:, part] for view, value in pooled.items()})
        losses.append(found['loss'])
        hits.append(float(found['accuracy']))
    both = head.loss(**pooled)
    torch.testing.assert_close(both['loss'], sum(losses))
    assert not torch.isclose(*losses)
    assert float(both['accuracy']) == pytest.approx(sum(hits) / 2)
    learning = [pooled[view] for view in SIZES['views']]
    for one, two in zip(*(torch.autograd.grad(x, learning) for x in (both['loss'], sum(losses)))):
        torch.testing.assert_close(one, two)
    assert head.predict(**pooled)['projection'].shape == (6, 2, 10)


@pytest.mark.parametrize('name', HEADS)
def test_features_of_no_use_hit_as_often_as_chance(name):
    """Over many batches whose views have nothing in common."""
    head, chance = make(name).eval(), HEADS[name][2]
    found = [head.predict(**draw(head, seed)) for seed in range(400)]
    assert found[0]['chance'].tolist() == pytest.approx([chance] * 6)
    mean = {key: float(torch.stack([one[key] for one in found]).mean()) for key in found[0]}
    assert mean['accuracy'] == pytest.approx(chance, abs=0.02)


@pytest.mark.parametrize(
    'head', [SelfDistillationHead, TeacherGuidanceHead, RedundancyHead, ContrastHead]
)
def test_an_input_that_a_head_does_not_have_is_refused(head):
    """It would be one more view, or a target of nothing."""
    options = dict(views=('clip', 'clip_b'))
    if head is TeacherGuidanceHead:
        options = dict(teachers=dict(image=dict(channels=3)))
    with pytest.raises(ConfigError, match="no input 'clip_imge', there are clip, clip_b"):
        head(4, **options, inputs=dict(clip_imge='targets.clip.other'))
    known = head(4, **options, inputs=dict(clip='clip.appearance')).inputs
    assert known['clip'] == 'clip.appearance' and known['clip_b'] == 'clip_b.pooled'


VIEWS = ('one', 'two', 'three')


def advance(head: nn.Module) -> nn.Module:
    """The student goes on, its copy stays."""
    with torch.no_grad():
        for _, source in head.momentum_pairs():
            for parameter in source.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return head


def test_byol_predicts_the_copys_projection_of_each_other_view():
    head = advance(make('byol', views=VIEWS))
    pooled = draw(head, 0)
    assert set(pooled) == {*VIEWS, *(f'{view}_target' for view in VIEWS)}
    errors = []
    for view in VIEWS:
        for other in set(VIEWS) - {view}:
            projected = slow_network(head.projectors[0], pooled[view])
            predicted = slow_network(head.predictors[0], projected)
            copy = head.momentum_projectors.module[0]
            target = slow_network(copy, pooled[f'{other}_target'], running=True)
            errors.append(1 - F.cosine_similarity(predicted, target))
    total = (sum(errors) / 6).detach()
    found = head.loss(**pooled)
    assert float(found['loss']) == pytest.approx(float(total.mean()), rel=1e-4)
    assert float(found['error']) == pytest.approx(float(total.mean()), rel=1e-4)


def test_simsiam_predicts_its_own_stopped_projection():
    head = make('simsiam', final_bn=True)
    pooled = {n: v.requires_grad_() for n, v in draw(head, 0).items()}
    assert set(pooled) == {'one', 'two'} and not head.momentum_pairs()
    projected = {n: slow_network(head.projectors[0], v) for n, v in pooled.items()}
    projected = {
        n: (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt() for n, z in projected.items()
    }
    predicted = {n: slow_network(head.predictors[0], z) for n, z in projected.items()}
    # Without the stop the gradient is another one.
    losses = [
        sum(
            1 - F.cosine_similarity(predicted[view], stop(projected[other])).mean()
            for view, other in (('one', 'two'), ('two', 'one'))
        )
        / 2
        for stop in (Tensor.detach, lambda z: z)
    ]
    found = head.loss(**pooled)['loss']
    assert float(found) == pytest.approx(float(losses[0]), rel=1e-4)
    got = torch.autograd.grad(found, list(pooled.values()))
    stopped, through = (
        torch.autograd.grad(loss, list(pooled.values()), retain_graph=True) for loss in losses
    )
    for one, expected, wrong in zip(got, stopped, through):
        torch.testing.assert_close(one, expected, rtol=1e-3, atol=1e-4)
        assert not torch.allclose(one, wrong, rtol=0.05)


def test_the_spread_of_the_projections_is_logged():
    head = make('byol').eval()
    pooled = draw(head, 0)
    found = head.loss(**pooled)['projection/feature_std']
    assert torch.isclose(found, feature_std(head.predict(**pooled)['projection'].flatten(1)))
    alike = {view: feature[:1].expand_as(feature) for view, feature in pooled.items()}
    assert float(head.loss(**alike)['projection/feature_std']) == pytest.approx(0, abs=1e-3)


def test_dino_matches_the_copys_distribution_over_prototypes():
    head = advance(make('dino'))
    pooled = draw(head, 0)
    center = torch.linspace(-0.3, 0.3, 5)
    head.losses[0].center.copy_(center)

    def cosines(layers: torch.nn.Module, values: Tensor, running: bool) -> Tensor:
        projected = slow_network(layers, values, running)
        weight = layers[4].weight.double()
        return F.cosine_similarity(projected[:, None], weight, dim=2)

    total = 0.0
    for view, other in (('one', 'two'), ('two', 'one')):
        logs = (cosines(head.projectors[0], pooled[view], False) / 0.5).log_softmax(1)
        copy = head.momentum_projectors.module[0]
        target = cosines(copy, pooled[f'{other}_target'], True)
        total = total - (((target - center) / 0.2).softmax(1) * logs).sum(1).mean() / 2
    assert float(head.loss(**pooled)['loss']) == pytest.approx(float(total), rel=1e-4)
