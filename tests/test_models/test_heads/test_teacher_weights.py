"""How teachers are weighed: scale, degenerate cases, the optimum of learned weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads import (
    ConfidenceTeacherWeights,
    FixedTeacherWeights,
    LearnedTeacherWeights,
)

TEACHERS = ('image', 'action', 'pose')
losses = torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) * 3
confidence = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))


def test_all_alike_is_the_mean():
    loss, weights = FixedTeacherWeights(TEACHERS)(losses, confidence)
    assert torch.isclose(loss, losses.mean())
    assert torch.allclose(weights, torch.full((3,), 1 / 3))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 10), min_size=3, max_size=3).filter(lambda w: sum(w) > 0.1))
def test_fixed_weights_keep_the_scale(chosen):
    weights = FixedTeacherWeights(TEACHERS, dict(zip(TEACHERS, chosen)))
    loss, shares = weights(losses, confidence)
    expected = sum(w * float(one.mean()) for w, one in zip(chosen, losses)) / sum(chosen)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert float(shares.sum()) == pytest.approx(1)
    # All losses alike: the weights do not matter.
    assert float(weights(torch.full((3, 5), 2.0), confidence)[0]) == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize('chosen', [dict(sound=1.0), dict(image=-1.0), dict.fromkeys(TEACHERS, 0)])
def test_impossible_weights_are_refused(chosen):
    with pytest.raises(ConfigError, match='FixedTeacherWeights'):
        FixedTeacherWeights(TEACHERS, chosen)


@pytest.mark.parametrize('temperature', [0.3, 2.0])
def test_learned_weights_come_to_their_optimum(temperature):
    module = LearnedTeacherWeights(TEACHERS, temperature)
    assert torch.isclose(module(losses, confidence)[0], losses.mean()), 'start: all alike'
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(500):
        optimizer.zero_grad()
        loss, weights = module(losses, confidence)
        loss.backward()
        optimizer.step()
    expected = (-losses.mean(1) / temperature).softmax(0)
    assert torch.allclose(weights, expected, atol=1e-3)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ConfigError, match='temperature'):
        LearnedTeacherWeights(TEACHERS, 0)


def test_confidence_weighs_each_clip_for_itself():
    module = ConfidenceTeacherWeights(TEACHERS)
    loss, weights = module(losses, confidence)
    expected = 0.0
    for n in range(5):
        total = sum(float(confidence[k, n]) for k in range(3))
        expected += sum(float(confidence[k, n] / total * losses[k, n]) for k in range(3)) / 5
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert float(weights.sum()) == pytest.approx(1)
    sure = torch.tensor([1.0, 0.0, 0.0])[:, None].expand(3, 5)
    assert torch.isclose(module(losses, sure)[0], losses[0].mean())
