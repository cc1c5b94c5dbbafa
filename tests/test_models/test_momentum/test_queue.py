"""The queue of keys: the latest ones, in order, and nothing else."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.models.momentum.queue import FeatureQueue


def keys(start: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys that carry their number."""
    numbers = torch.arange(start, start + number)
    return numbers[:, None].float().repeat(1, 2), torch.stack([numbers, -numbers], dim=1)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 9), batches=st.lists(st.integers(1, 12), max_size=6))
def test_it_holds_the_latest_keys(size, batches):
    queue = FeatureQueue(size, 2, labels=2)
    total = 0
    for batch in batches:
        queue.enqueue(*keys(total, batch))
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
