"""Soft targets and their contrast against slow twins in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.contrastive import SoftTargetInfoNCELoss, soft_targets

PAIRS, DIM = 5, 4


def made(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def some_valid(seed: int) -> Tensor:
    valid = torch.rand(PAIRS, generator=torch.Generator().manual_seed(seed)) < 0.7
    valid[seed % PAIRS] = True
    return valid


def cosine(one: list[float], other: list[float]) -> float:
    lengths = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other)) / lengths


def slow_spread(
    queries: list[list[float]], keys: list[list[float]], valid: list[bool], tau: float
) -> list[list[float]]:
    rows = []
    for query in queries:
        scores = [math.exp(cosine(query, key) / tau) if v else 0 for key, v in zip(keys, valid)]
        rows.append([score / sum(scores) for score in scores])
    return rows


def slow_target(
    valid: list[bool], alpha: float, own: list, momentum: tuple | None, beta: float, tau: float
) -> list[list[float]]:
    alike = slow_spread(own, own, valid, tau)
    cross = None if momentum is None else slow_spread(*momentum, valid, tau)
    rows = []
    for i in range(len(valid)):
        row = []
        for j in range(len(valid)):
            soft = alike[i][j]
            if cross is not None:
                soft = beta * soft + (1 - beta) * cross[i][j]
            row.append((1 - alpha) * (i == j and valid[j]) + alpha * soft)
        rows.append(row)
    return rows


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_targets_are_those_of_the_slow_twin(seed, alpha, beta, with_momentum):
    valid = some_valid(seed)
    own, queries, keys = (made(seed + k, PAIRS, DIM).requires_grad_() for k in range(3))
    momentum = (queries, keys) if with_momentum else None
    found = soft_targets(valid, alpha, own, 0.3, momentum, beta)
    lists = None if momentum is None else (queries.tolist(), keys.tolist())
    expected = slow_target(valid.tolist(), alpha, own.tolist(), lists, beta, 0.3)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    sums = found[valid].sum(1)
    torch.testing.assert_close(sums, torch.ones_like(sums))
    assert (found[:, ~valid] == 0).all()
    assert not found.requires_grad, 'targets teach nothing to what they are made of'


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999))
def test_the_loss_is_that_of_the_slow_twin(seed):
    valid = some_valid(seed)
    queries, keys = (made(seed + k, PAIRS, DIM).requires_grad_() for k in range(2))
    target = soft_targets(valid, 0.6, keys, 0.3)
    found = SoftTargetInfoNCELoss(0.2, 0.3)(queries, keys, valid, 0.6)
    losses, hits = [], []
    for i in range(PAIRS):
        scores = [cosine(queries[i].tolist(), key.tolist()) / 0.2 for key in keys]
        total = math.log(sum(math.exp(s) for s, v in zip(scores, valid) if v))
        losses.append(-sum(float(target[i, j]) * (s - total) for j, s in enumerate(scores)))
        best = max((s, j) for j, s in enumerate(scores) if valid[j])[1]
        hits.append(float(best == i))
    assert found['loss'][valid].tolist() == pytest.approx(
        [loss for loss, v in zip(losses, valid) if v], rel=1e-6
    )
    assert found['hit'][valid].tolist() == [h for h, v in zip(hits, valid) if v]
    found['loss'][valid].sum().backward()
    for gradient in (queries.grad, keys.grad):
        assert not gradient[~valid].any() and gradient[valid].any() == (valid.sum() > 1)


def test_what_is_left_out_may_hold_anything():
    queries, keys = made(0, PAIRS, DIM), made(1, PAIRS, DIM)
    valid = torch.tensor([True, False, True, True, False])
    kept = valid.nonzero()[:, 0]
    fewer = torch.ones(len(kept), dtype=torch.bool)

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return SoftTargetInfoNCELoss(0.2)(q, k, v, 0.5)['loss'][v]

    expected = loss(queries[kept], keys[kept], fewer)
    torch.testing.assert_close(loss(queries, keys, valid), expected)
    keys[~valid], queries[~valid] = 0.0, 1e6
    torch.testing.assert_close(loss(queries, keys, valid), expected)
