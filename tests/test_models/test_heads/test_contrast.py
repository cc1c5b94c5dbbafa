"""Contrast of views with their mean and in pairs, against the published formula."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.contrast import ContrastHead
from mmact_ssl.models.losses.nt_xent import nt_xent
from tests.helpers.heads import slow_projection


def make(**settings) -> ContrastHead:
    torch.manual_seed(0)
    return ContrastHead(in_channels=4, **({'hidden_dim': 8, 'embedding_dim': 5} | settings))


def make_pooled(views=('clip', 'masked', 'shuffled')) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(6, 4, generator=generator)
    return {
        # Far apart: statistics that mix the views would show.
        view: 10 * i + shared + 0.5 * torch.randn(6, 4, generator=generator)
        for i, view in enumerate(views)
    }


def mean_contrast(pairs: list[tuple[Tensor, Tensor]], temperature: float) -> float:
    return sum(float(nt_xent(*pair, temperature, -1.0)['loss'].mean()) for pair in pairs) / len(
        pairs
    )


def test_each_view_is_held_against_the_mean_of_the_three_or_against_each_other_view():
    pooled = make_pooled()
    projected = [slow_projection(make(), values) for values in pooled.values()]
    mean = sum(projected) / 3
    published = mean_contrast([(z, mean) for z in projected], 0.9)
    assert make().loss(**pooled)['loss'].item() == pytest.approx(published, rel=1e-4)
    pairs = mean_contrast(list(combinations(projected, 2)), 0.1)
    near = make(target='pair', loss=dict(type='NTXentLoss', temperature=0.1))
    assert near.loss(**pooled)['loss'].item() == pytest.approx(pairs, rel=1e-4)


def test_gradient_flows_through_the_mean_too():
    """A view's gradient also comes from being part of what the others are held against."""
    head, views = make(), make_pooled()
    pooled = {view: values.requires_grad_() for view, values in views.items()}
    projected = torch.stack([head.projectors[0](values) for values in pooled.values()])
    mean = projected.mean(0)
    gradients = []
    for target in (mean, mean.detach()):
        loss = sum(nt_xent(z, target, 0.9, -1.0)['loss'].mean() for z in projected) / 3
        gradients.append(torch.autograd.grad(loss, list(pooled.values()), retain_graph=True))
    got = torch.autograd.grad(head.loss(**pooled)['loss'], list(pooled.values()))
    for one, through, around in zip(got, *gradients):
        torch.testing.assert_close(one, through)
        assert not torch.allclose(one, around, rtol=0.01)


def test_streams_are_contrasted_apart_and_summed():
    """As many heads, each on its part of the features: also to the gradient."""
    torch.manual_seed(0)
    views = make_pooled(('one', 'two'))
    head = make(target='pair', views=tuple(views), streams=2)
    pooled = {view: values.requires_grad_() for view, values in views.items()}
    total, hits = torch.zeros(()), []
    for i, projector in enumerate(head.projectors):
        alone = ContrastHead(2, tuple(views), 'pair', hidden_dim=8, embedding_dim=5)
        alone.projectors[0].load_state_dict(projector.state_dict())
        found = alone.loss(**{v: f[:, 2 * i : 2 * i + 2] for v, f in pooled.items()})
        total = total + found['loss']
        hits.append(float(found['accuracy']))
    both = head.loss(**pooled)
    loss = both['loss']
    torch.testing.assert_close(loss, total)
    assert float(both['accuracy']) == pytest.approx(sum(hits) / 2) and 0 < sum(hits) < 2
    for one, two in zip(*(torch.autograd.grad(x, list(pooled.values())) for x in (loss, total))):
        torch.testing.assert_close(one, two)
    assert head.predict(**pooled)['projection'].shape == (6, 2, 10)


@pytest.mark.parametrize('target', ['pair', 'mean'])
def test_features_of_no_use_hit_as_often_as_chance(target):
    """Over many batches of six clips whose views have nothing in common."""
    head = make(target=target).eval()
    generator = torch.Generator().manual_seed(0)
    hits = []
    for _ in range(400):
        views = {view: torch.randn(6, 4, generator=generator) for view in head.inputs}
        found = head.predict(**views)
        hits.append(found['accuracy'].mean())
    assert found['chance'].tolist() == pytest.approx([1 / 11] * 6)
    assert float(torch.stack(hits).mean()) == pytest.approx(1 / 11, abs=0.015)


def test_a_target_that_is_neither_is_refused():
    with pytest.raises(ConfigError, match="target='pairs': use 'mean' or 'pair'"):
        make(target='pairs')
