"""The momentum copy, an average that nothing else moves, and the queue of the latest keys."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.momentum.queue import FeatureQueue


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def change(source: nn.Module) -> None:
    with torch.no_grad():
        for value in (*source.parameters(), *source.buffers()):
            value.add_(torch.randn_like(value.float()).to(value.dtype))


def coded() -> nn.Sequential:
    """Without batch normalization, with a constant, as mmaction2's vision transformer."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    made.register_buffer('pos_embed', torch.ones(3))
    return made


@pytest.mark.parametrize('make', [network, coded])
@pytest.mark.parametrize('momentum', [0.0, 0.3, 0.9])
def test_it_starts_as_the_source_and_then_follows_it_by_the_formula(momentum, make):
    source = make()
    follower = MomentumCopy(source, momentum)
    change(source)  # initialized after the copy was made
    follower.start(source)
    expected = {name: value.double() for name, value in source.state_dict().items()}
    for updates in range(1, 7):
        change(source)
        follower.follow(source)
        share = min(momentum, (1 + updates) / (10 + updates)) if make is network else momentum
        for name, value in source.state_dict().items():
            expected[name] = share * expected[name] + (1 - share) * value.double()
    for name, value in follower.module.state_dict().items():
        if value.is_floating_point():  # the number of batches is read by nobody
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_keys_of_weights_that_grow_stay_apart():
    """Old weights under new statistics would shrink all keys towards one."""
    source = network()[:2].train()
    follower = MomentumCopy(source, 0.999)
    follower.start(source)
    rows = torch.randn(64, 3)
    for _ in range(40):
        with torch.no_grad():
            source[0].weight.mul_(1.06)
            source(rows)
        follower.follow(source)
    deviation = follower(rows).std(0)
    assert (deviation > 0.5).all() and (deviation < 2).all(), deviation


def numbered(start: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys that carry their number."""
    numbers = torch.arange(start, start + number)
    return numbers[:, None].float().repeat(1, 2), torch.stack([numbers, -numbers], dim=1)


@settings(max_examples=60)
@given(size=st.integers(1, 9), batches=st.lists(st.integers(1, 12), max_size=6))
def test_it_holds_the_latest_keys(size, batches):
    queue = FeatureQueue(size, 2, labels=2)
    total = 0
    for batch in batches:
        queue.enqueue(*numbered(total, batch))
        total += batch
    latest = range(max(total - size, 0), total)
    held = queue.features[queue.filled]
    assert sorted(held[:, 0].tolist()) == list(latest)
    assert queue.labels[queue.filled].tolist() == [[int(k), -int(k)] for k in held[:, 0]]
    assert queue.pointer == total % size
    # Oldest first, from the pointer on.
    if total >= size:
        order = torch.roll(queue.features[:, 0], -int(queue.pointer))
        assert order.tolist() == list(latest)


def test_keys_are_kept_without_gradient_in_float32():
    queue = FeatureQueue(4, 2)
    queue.enqueue(
        torch.ones(3, 2, dtype=torch.float16, requires_grad=True),
        torch.zeros(3, 1, dtype=torch.int64),
    )
    assert queue.features.dtype == torch.float32
    assert not queue.features.requires_grad
