"""Prediction between views: pairs, targets and gradients of BYOL, SimSiam and DINO."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.models.heads.self_distillation import SelfDistillationHead

VIEWS = ('one', 'two', 'three')
DINO = dict(
    predictor_dim=None,
    prototypes=6,
    loss=dict(type='CenteredCrossEntropyLoss', channels=6, temperature=0.5, target_temperature=0.2),
)


def make(views=VIEWS, **settings) -> SelfDistillationHead:
    torch.manual_seed(0)
    sizes = dict(hidden_dim=8, embedding_dim=5, predictor_dim=7)
    head = SelfDistillationHead(4, views, **{**sizes, **settings})
    for copy, source in head.momentum_pairs():
        copy.start(source)
        with torch.no_grad():  # the student goes on, the copy stays
            for parameter in source.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return head


def make_pooled(head: SelfDistillationHead) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(6, 4, generator=generator) for name in head.inputs}


def normal(values: Tensor) -> Tensor:
    return (values - values.mean(0)) / (values.var(0, unbiased=False) + 1e-5).sqrt()


def slow_network(layers: torch.nn.Module, values: Tensor, running: bool = False) -> Tensor:
    """Linear, batch normalization, ReLU, linear, in double precision."""
    first, norm, _, last = layers[:4]
    hidden = values.double() @ first.weight.T.double() + first.bias.double()
    if running:
        hidden = (hidden - norm.running_mean) / (norm.running_var + 1e-5).sqrt()
    else:
        hidden = normal(hidden)
    hidden = hidden * norm.weight + norm.bias
    return hidden.clamp(min=0) @ last.weight.T.double() + last.bias.double()


def test_byol_predicts_the_copys_projection_of_each_other_view():
    head = make()
    pooled = make_pooled(head)
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
    head = make(VIEWS[:2], momentum=None, final_bn=True)
    pooled = {n: v.requires_grad_() for n, v in make_pooled(head).items()}
    assert set(pooled) == {'one', 'two'} and not head.momentum_pairs()
    projected = {n: normal(slow_network(head.projectors[0], v)) for n, v in pooled.items()}
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


def test_dino_matches_the_copys_distribution_over_prototypes():
    head = make(VIEWS[:2], **DINO)
    pooled = make_pooled(head)
    center = torch.linspace(-0.3, 0.3, 6)
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
    assert (head.losses[0].center - center).abs().max() > 1e-3, 'it follows the targets'


@pytest.mark.parametrize('settings', [{}, dict(momentum=None), DINO])
def test_targets_and_the_copy_get_no_gradient(settings):
    head = make(**settings)
    pooled = {n: v.requires_grad_() for n, v in make_pooled(head).items()}
    head.loss(**pooled)['loss'].backward()
    for name, value in pooled.items():
        assert (value.grad is None) == name.endswith('_target'), name
    for copy, _ in head.momentum_pairs():
        assert not any(p.requires_grad or p.grad is not None for p in copy.parameters())


def test_streams_are_predicted_apart_and_summed():
    """As many heads, each on its part of the features: also to the gradient."""
    head = make(VIEWS[:2], streams=2)
    pooled = {n: v.requires_grad_() for n, v in make_pooled(head).items()}
    total, hits = torch.zeros(()), []
    for i in range(2):
        alone = SelfDistillationHead(2, VIEWS[:2], hidden_dim=8, embedding_dim=5, predictor_dim=7)
        alone.projectors[0].load_state_dict(head.projectors[i].state_dict())
        alone.predictors[0].load_state_dict(head.predictors[i].state_dict())
        copy = head.momentum_projectors.module[i].state_dict()
        alone.momentum_projectors.module[0].load_state_dict(copy)
        found = alone.loss(**{n: v[:, 2 * i : 2 * i + 2] for n, v in pooled.items()})
        total = total + found['loss']
        hits.append(float(found['accuracy']))
    both = head.loss(**pooled)
    torch.testing.assert_close(both['loss'], total)
    assert float(both['accuracy']) == pytest.approx(sum(hits) / 2)
    learning = [pooled[view] for view in VIEWS[:2]]
    for one, two in zip(*(torch.autograd.grad(x, learning) for x in (both['loss'], total))):
        torch.testing.assert_close(one, two)
    assert head.predict(**pooled)['projection'].shape == (6, 2, 10)


@pytest.mark.parametrize('settings', [{}, dict(momentum=None), DINO])
def test_features_of_no_use_hit_as_often_as_chance(settings):
    head = make(VIEWS[:2], **settings).eval()
    generator = torch.Generator().manual_seed(0)
    hits = []
    for _ in range(400):
        found = head.predict(**{n: torch.randn(6, 4, generator=generator) for n in head.inputs})
        hits.append(found['accuracy'].mean())
    assert found['chance'].tolist() == pytest.approx([1 / 6] * 6)
    assert float(torch.stack(hits).mean()) == pytest.approx(1 / 6, abs=0.02)


def test_projectors_have_the_layers_that_are_asked_for():
    sizes = dict(hidden_dim=9, hidden_layers=2, embedding_dim=5)
    head = SelfDistillationHead(4, **sizes, prototypes=6, predictor_dim=None)
    assert [type(layer).__name__ for layer in head.projectors[0]] == (
        ['Linear', 'RowNorm', 'ReLU'] * 2 + ['Linear', 'Prototypes']
    )
    assert head.projectors[0][-1].weight.shape == (6, 5)
    assert isinstance(head.predictors[0], torch.nn.Identity)
