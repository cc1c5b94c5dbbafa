"""Weights of teachers: scale, degenerate cases, the optimum of learned weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.teacher_weights import (
    ConfidenceTeacherWeights,
    FixedTeacherWeights,
    LearnedTeacherWeights,
)

TEACHERS = ('image', 'action', 'pose')
losses = torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) * 3
confidence = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
everything = torch.ones(3, 5, dtype=torch.bool)
# Of clip 1 the pose teacher has no target, of clip 4 none has.
some = everything.clone()
some[2, 1] = some[:, 4] = False


@settings(max_examples=30)
@given(st.lists(st.floats(0, 10), min_size=3, max_size=3).filter(lambda w: sum(w) > 0.1))
def test_fixed_weights_keep_the_scale(chosen):
    weights = FixedTeacherWeights(TEACHERS, dict(zip(TEACHERS, chosen)))
    loss, shares = weights(losses, confidence, everything)
    expected = sum(w * float(one.mean()) for w, one in zip(chosen, losses)) / sum(chosen)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert float(shares.sum()) == pytest.approx(1)


def test_weights_of_unknown_teachers_are_refused():
    with pytest.raises(ConfigError, match="'sound'.*'image', 'action', 'pose'"):
        FixedTeacherWeights(TEACHERS, dict(sound=1.0))


@pytest.mark.parametrize('temperature', [0.3, 2.0])
def test_learned_weights_come_to_their_optimum(temperature):
    module = LearnedTeacherWeights(TEACHERS, temperature)
    start = module(losses, confidence, everything)[0]
    assert torch.isclose(start, losses.mean()), 'all alike'
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(500):
        optimizer.zero_grad()
        loss, weights = module(losses, confidence, everything)
        loss.backward()
        optimizer.step()
    expected = (-losses.mean(1) / temperature).softmax(0)
    assert torch.allclose(weights, expected, atol=1e-3)


@pytest.mark.parametrize('valid', [everything, some], ids=['all', 'some'])
def test_clips_without_a_target_do_not_count(valid):
    """In the mean of each teacher, or among the teachers of each clip, which confidence weighs."""
    means = [float(losses[k, valid[k]].mean()) for k in range(3)]
    for kind in (FixedTeacherWeights, LearnedTeacherWeights):
        assert float(kind(TEACHERS)(losses, confidence, valid)[0]) == pytest.approx(sum(means) / 3)
    loss, weights = ConfidenceTeacherWeights(TEACHERS)(losses, confidence, valid)
    clips = []
    for n in valid.any(0).nonzero()[:, 0].tolist():
        known = [k for k in range(3) if valid[k, n]]
        total = sum(float(confidence[k, n]) for k in known)
        clips.append(sum(float(confidence[k, n] / total * losses[k, n]) for k in known))
    assert float(loss) == pytest.approx(sum(clips) / len(clips), rel=1e-5)
    assert float(weights.sum()) == pytest.approx(1)


def test_an_absent_teacher_wins_no_learned_weight():
    """Its loss of 0 would look like the easiest."""
    module = LearnedTeacherWeights(TEACHERS)
    absent = everything.clone()
    absent[2] = False
    loss, weights = module(losses, confidence, absent)
    loss.backward()
    assert weights[2] == 0 and module.logits.grad[2] == 0
    two = LearnedTeacherWeights(TEACHERS[:2])
    loss_of_two, _ = two(losses[:2], confidence[:2], everything[:2])
    loss_of_two.backward()
    assert torch.isclose(loss, loss_of_two)
    assert torch.allclose(module.logits.grad[:2], two.logits.grad)


@pytest.mark.parametrize(
    'kind', [FixedTeacherWeights, LearnedTeacherWeights, ConfidenceTeacherWeights]
)
def test_a_batch_without_any_teacher_has_no_loss(kind):
    nothing = losses.clone().requires_grad_()
    loss, _ = kind(TEACHERS)(nothing, confidence, torch.zeros_like(everything))
    loss.backward()
    # Exactly 0, by which balancers know that there is nothing to count.
    assert loss == 0 and nothing.grad.abs().sum() == 0
