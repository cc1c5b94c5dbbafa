"""Redundancy reduction: pairs of views, streams, and what is told beside the loss."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.redundancy import RedundancyHead
from mmact_ssl.models.losses.barlow_twins import BarlowTwinsLoss
from mmact_ssl.models.losses.vicreg import VICRegLoss
from tests.helpers.heads import slow_projection

LOSSES = [dict(type='BarlowTwinsLoss'), dict(type='VICRegLoss')]


def make(loss: dict, views=('one', 'two', 'three'), in_channels=4, streams=1) -> RedundancyHead:
    torch.manual_seed(0)
    return RedundancyHead(in_channels, views, 8, 1, embedding_dim=5, streams=streams, loss=loss)


def make_pooled(head: RedundancyHead) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(6, 4, generator=generator)
    return {
        # Far apart: statistics that mix the views would show.
        view: 10 * i + shared + 0.5 * torch.randn(6, 4, generator=generator)
        for i, view in enumerate(head.inputs)
    }


@pytest.mark.parametrize('loss', LOSSES)
def test_the_loss_is_the_mean_over_pairs_of_views(loss):
    head = make(loss)
    pooled = make_pooled(head)
    projected = [slow_projection(head, values) for values in pooled.values()]
    plain = BarlowTwinsLoss() if 'Barlow' in loss['type'] else VICRegLoss()
    pairs = [plain(*pair) for pair in combinations(projected, 2)]
    found = head.loss(**pooled)
    for name in pairs[0]:
        expected = sum(float(pair[name]) for pair in pairs) / 3
        assert float(found[name]) == pytest.approx(expected, rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize('loss', LOSSES)
def test_streams_have_projectors_and_losses_of_their_own(loss):
    """As many heads, each on its part of the features: also to the gradient."""
    head = make(loss, ('one', 'two'), streams=2)
    pooled = {view: values.requires_grad_() for view, values in make_pooled(head).items()}
    total, hits = torch.zeros(()), []
    for i, projector in enumerate(head.projectors):
        alone = make(loss, ('one', 'two'), in_channels=2)
        alone.projectors[0].load_state_dict(projector.state_dict())
        found = alone.loss(**{v: f[:, 2 * i : 2 * i + 2] for v, f in pooled.items()})
        total = total + found['loss']
        hits.append(float(found['accuracy']))
    both = head.loss(**pooled)
    torch.testing.assert_close(both['loss'], total)
    assert float(both['accuracy']) == pytest.approx(sum(hits) / 2)
    learning = list(pooled.values())
    for one, two in zip(*(torch.autograd.grad(x, learning) for x in (both['loss'], total))):
        torch.testing.assert_close(one, two)
    assert head.predict(**pooled)['projection'].shape == (6, 2, 10)


@pytest.mark.parametrize('loss', LOSSES)
def test_gradients_flow_into_both_views(loss):
    """There is no stopped branch: both views move, and by as much where they are exchanged."""
    head = make(loss, ('one', 'two')).eval()
    pooled = {view: values.requires_grad_() for view, values in make_pooled(head).items()}
    own = torch.autograd.grad(head.loss(**pooled)['loss'], list(pooled.values()))
    swapped = dict(one=pooled['two'], two=pooled['one'])
    other = torch.autograd.grad(head.loss(**swapped)['loss'], list(pooled.values()))
    for one, two in zip(own, other):
        assert one.any()
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)


def test_features_of_no_use_hit_as_often_as_chance():
    head = make(LOSSES[0], ('one', 'two')).eval()
    generator = torch.Generator().manual_seed(0)
    found = [
        head.predict(**{view: torch.randn(6, 4, generator=generator) for view in head.inputs})
        for _ in range(400)
    ]
    assert found[0]['chance'].tolist() == pytest.approx([1 / 6] * 6)
    accuracy, error, constant = (
        float(torch.stack([one[name].mean() for one in found]).mean())
        for name in ('accuracy', 'error', 'error_constant')
    )
    assert accuracy == pytest.approx(1 / 6, abs=0.02)
    assert constant == pytest.approx(1, abs=0.01) and error == pytest.approx(2, abs=0.1)


def test_predictions_hold_no_number_of_the_whole_batch():
    found = make(LOSSES[1], ('one', 'two')).predict(**make_pooled(make(LOSSES[1], ('one', 'two'))))
    assert set(found) == {'accuracy', 'chance', 'error', 'error_constant', 'projection'}
