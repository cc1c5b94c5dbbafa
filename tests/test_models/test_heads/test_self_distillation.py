"""Prediction between views: pairs, targets and gradients of BYOL, SimSiam and DINO."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.models.heads.self_distillation import SelfDistillationHead
from tests.helpers.heads import slow_network

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
