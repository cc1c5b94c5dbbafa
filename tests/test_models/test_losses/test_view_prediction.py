"""Losses of predictions between views, DINO's with its center, against slow transcriptions."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.view_prediction import CenteredCrossEntropyLoss, NegativeCosineLoss

SIZES = dict(
    seed=st.integers(0, 10_000),
    pairs=st.integers(1, 3),
    num=st.integers(1, 5),
    size=st.integers(2, 6),
)


def make(seed: int, pairs: int, num: int, size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randn(pairs, num, size, generator=generator)
    predictions = targets + torch.randn(pairs, num, size, generator=generator)
    return predictions.requires_grad_(), targets.requires_grad_()


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


@settings(deadline=None, max_examples=40)
@given(**SIZES, temperatures=st.sampled_from([(1.0, 1.0), (0.5, 0.2), (0.1, 0.1)]))
def test_cross_entropies_equal_the_slow_twin(seed, pairs, num, size, temperatures):
    """Value, hits, the constant answer and gradients, around a center that is not 0."""
    predictions, targets = make(seed, pairs, num, size)
    loss = CenteredCrossEntropyLoss(size, *temperatures).eval()
    center = torch.linspace(-1, 1, size)
    loss.center.copy_(center)
    found = loss(predictions, targets)
    for pair in range(pairs):
        aims = [
            softmax([(float(t) - float(c)) / temperatures[1] for t, c in zip(row, center)])
            for row in targets[pair]
        ]
        logs = [
            [math.log(p) for p in softmax([float(v) / temperatures[0] for v in row])]
            for row in predictions[pair]
        ]
        mean = [sum(column) / num for column in zip(*aims)]
        for i in range(num):
            entropies = [-sum(t * q for t, q in zip(aim, logs[i])) for aim in aims]
            assert float(found['loss'][pair, i]) == pytest.approx(entropies[i], rel=1e-4, abs=1e-5)
            others = min([*entropies[:i], *entropies[i + 1 :]], default=math.inf)
            if abs(entropies[i] - others) > 1e-4:  # else float32 decides
                assert float(found['hit'][pair, i]) == (entropies[i] < others)
            constant = -sum(t * math.log(m) for t, m in zip(aims[i], mean))
            assert float(found['constant'][pair, i]) == pytest.approx(constant, rel=1e-4, abs=1e-5)
    aims = ((targets.detach().double() - center) / temperatures[1]).softmax(2)
    slow = -(aims * (predictions.double() / temperatures[0]).log_softmax(2)).sum()
    (expected,) = torch.autograd.grad(slow, predictions)
    found['loss'].sum().backward()
    torch.testing.assert_close(predictions.grad, expected, rtol=1e-3, atol=1e-4)
    assert targets.grad is None, 'targets are stopped'


def test_the_center_follows_the_targets_of_all_batches_of_a_step_once():
    loss = CenteredCrossEntropyLoss(3, center_momentum=0.75)
    first, second, third = (make(seed, 2, 4, 3)[1].detach() for seed in range(3))
    plain = CenteredCrossEntropyLoss(3).eval()
    expected = torch.zeros(3, dtype=torch.float64)
    for batches in ((first,), (second, third)):
        for batch in batches:
            torch.testing.assert_close(loss(first, batch)['loss'], plain(first, batch)['loss'])
        loss.eval()(first, 9 * first)  # a test does not move it
        loss.train().after_step()
        means = [batch.flatten(0, 1).double().mean(0) for batch in batches]
        expected = 0.75 * expected + 0.25 * sum(means) / len(means)
        torch.testing.assert_close(loss.center.double(), expected, rtol=1e-5, atol=1e-7)
        plain.center.copy_(loss.center)
    assert loss.state_dict().keys() == {'center', 'waiting'}, 'a resumed run goes on with both'
    loss.restart()
    assert not loss.center.any()


def cosine(one: Tensor, other: Tensor) -> Tensor:
    return one @ other / (one.norm() * other.norm())


@settings(deadline=None, max_examples=40)
@given(**SIZES)
def test_cosine_distances_equal_the_slow_twin(seed, pairs, num, size):
    """Value, hits, the constant answer and gradients."""
    predictions, targets = make(seed, pairs, num, size)
    found = NegativeCosineLoss()(predictions, targets)
    total = torch.zeros((), dtype=torch.float64)
    for pair, (rows, aims) in enumerate(zip(predictions.double(), targets.detach().double())):
        best = sum(aim / aim.norm() for aim in aims)
        for i, (row, aim) in enumerate(zip(rows, aims)):
            distance = 1 - cosine(row, aim)
            assert float(found['loss'][pair, i]) == pytest.approx(float(distance), abs=1e-5)
            nearest = max(range(num), key=lambda j: float(cosine(row, aims[j])))
            assert float(found['hit'][pair, i]) == (nearest == i)
            constant = 1 - cosine(best, aim)
            assert float(found['constant'][pair, i]) == pytest.approx(float(constant), abs=1e-4)
            total = total + distance
    (expected,) = torch.autograd.grad(total, predictions)
    found['loss'].sum().backward()
    torch.testing.assert_close(predictions.grad, expected, rtol=1e-4, atol=1e-5)
    assert targets.grad is None, 'targets are stopped'
