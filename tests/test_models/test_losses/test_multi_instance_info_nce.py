"""Multi-instance InfoNCE against a slow transcription of its formula."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.multi_instance_info_nce import multi_instance_info_nce


def slow_info_nce(
    queries: Tensor, keys: Tensor, valid: Tensor, temperature: float
) -> tuple[Tensor, float]:
    """The docstring's two sums, pair by pair, in double precision; and the accuracy."""
    queries, keys = queries.double(), keys.double()
    num_samples, num_keys = valid.shape

    def similarity(i: int, j: int, p: int) -> Tensor:
        q, k = queries[i], keys[j, p]
        return (q @ k) / (q.norm() * k.norm()) / temperature

    pairs = [(j, p) for j in range(num_samples) for p in range(num_keys) if valid[j, p]]
    to_keys, to_samples, hits = [], [], []
    for i in range(num_samples):
        own = [p for p in range(num_keys) if valid[i, p]]
        if not own:
            continue
        positives = sum(similarity(i, i, p).exp() for p in own)
        negatives = sum(similarity(i, j, p).exp() for j, p in pairs if j != i)
        to_keys.append(-torch.log(positives / (positives + negatives)))
        best = max(pairs, key=lambda pair: float(similarity(i, *pair)))
        hits.append(best[0] == i)
    for j, p in pairs:
        everyone = sum(similarity(i, j, p).exp() for i in range(num_samples))
        to_samples.append(-torch.log(similarity(j, j, p).exp() / everyone))
    if not pairs:
        return queries.sum() * 0, 0.0
    loss = torch.stack(to_keys).mean() + torch.stack(to_samples).mean()
    return loss / 2, sum(hits) / len(hits)


def total(queries: Tensor, keys: Tensor, valid: Tensor, temperature: float) -> Tensor:
    """Mean of both directions' means, over the samples that have a key and over all keys."""
    found = multi_instance_info_nce(queries, keys, valid, temperature)
    to_keys = found['sample_loss'].sum() / valid.any(1).sum().clamp(min=1)
    return (to_keys + (found['key_loss'] * valid).sum() / valid.sum().clamp(min=1)) / 2


def make(seed: int, num_samples: int, num_keys: int, dim: int, share_valid: float = 0.7):
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(num_samples, dim, generator=generator)
    keys = torch.randn(num_samples, num_keys, dim, generator=generator)
    valid = torch.rand(num_samples, num_keys, generator=generator) < share_valid
    return queries, keys, valid


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    num_samples=st.integers(1, 5),
    num_keys=st.integers(1, 4),
    dim=st.integers(2, 6),
    share_valid=st.sampled_from([0.0, 0.4, 1.0]),
    temperature=st.sampled_from([0.07, 0.5]),
)
def test_equals_the_slow_twin(seed, num_samples, num_keys, dim, share_valid, temperature):
    """Value, accuracy and gradients, with samples that have no key among them."""
    queries, keys, valid = make(seed, num_samples, num_keys, dim, share_valid)
    queries.requires_grad_()
    keys.requires_grad_()
    fast = total(queries, keys, valid, temperature)
    slow, accuracy = slow_info_nce(queries, keys, valid, temperature)
    torch.testing.assert_close(fast.double(), slow, rtol=1e-4, atol=1e-5)
    hits = multi_instance_info_nce(queries, keys, valid, temperature)['hit'][valid.any(1)]
    assert float(hits.sum() / max(len(hits), 1)) == pytest.approx(accuracy)

    got = torch.autograd.grad(fast, (queries, keys))
    expected = torch.autograd.grad(slow, (queries, keys), allow_unused=True)
    for one, other in zip(got, expected):
        other = torch.zeros_like(one) if other is None else other
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_padding_changes_nothing_and_gets_no_gradient():
    queries, keys, valid = make(1, 4, 3, 5, share_valid=0.5)
    assert not valid.all()
    loss = total(queries, keys, valid, 0.07)
    keys = keys.where(valid[..., None], 1e3 * torch.randn_like(keys)).requires_grad_()
    again = total(queries, keys, valid, 0.07)
    assert torch.equal(loss, again)
    again.backward()
    assert not keys.grad[~valid].any()
    assert keys.grad[valid].abs().sum() > 0
