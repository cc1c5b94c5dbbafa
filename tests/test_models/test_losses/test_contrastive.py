"""Contrasts against slow formulas, row by row."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.contrastive import InfoNCELoss, MultiInstanceInfoNCELoss, NTXentLoss


def test_info_nce_against_the_formula():
    """With pairs that do not count: neither rows nor anybody's negatives."""
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    queries.requires_grad_(), keys.requires_grad_()
    for valid in (None, torch.tensor([True, True, False, True, False, True])):
        found = InfoNCELoss(0.2)(queries, keys, valid)
        kept = torch.arange(6) if valid is None else valid.nonzero()[:, 0]
        cosines = F.cosine_similarity(queries[kept][:, None], keys[kept][None], dim=2)
        own = torch.arange(len(kept))
        expected = F.cross_entropy(cosines / 0.2, own, reduction='none')
        torch.testing.assert_close(found['loss'][kept], expected)
        assert torch.equal(found['hit'][kept] == 1, cosines.argmax(1) == own)
        total = found['loss'].sum()
        gradient, of_keys = torch.autograd.grad(total, (queries, keys), allow_unused=True)
        assert gradient.any(1).nonzero()[:, 0].tolist() == kept.tolist()
        assert of_keys is None
    assert not found['loss'][~valid].any() and not found['hit'][~valid].any()


def slow_nt_xent(
    first: Tensor, second: Tensor, temperature: float, self_similarity: float | None
) -> tuple[Tensor, list[float]]:
    """Cross-entropy of each row's partner among all other rows, and each row's hit."""
    rows = torch.cat([first, second]).double()
    cosines = F.cosine_similarity(rows[:, None], rows[None], dim=2)
    itself = torch.eye(len(rows), dtype=torch.bool)
    cosines = cosines.masked_fill(itself, -math.inf if self_similarity is None else self_similarity)
    partner = torch.arange(len(rows)).roll(len(first))
    hits = cosines.masked_fill(itself, -math.inf).argmax(1) == partner
    return F.cross_entropy(cosines / temperature, partner), hits.double().tolist()


def make_views(seed: int, num: int, dim: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(num, dim, generator=generator)
    second = first + torch.randn(num, dim, generator=generator)
    return first.requires_grad_(), second.requires_grad_()


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    num=st.integers(1, 5),
    dim=st.integers(2, 6),
    temperature=st.sampled_from([0.1, 0.9]),
    self_similarity=st.sampled_from([-1.0, None]),
)
def test_nt_xent_equals_the_slow_twin(seed, num, dim, temperature, self_similarity):
    """Value, hits and gradients."""
    first, second = make_views(seed, num, dim)
    fast = NTXentLoss(temperature, self_similarity)(first, second)
    slow, hits = slow_nt_xent(first, second, temperature, self_similarity)
    torch.testing.assert_close(fast['loss'].mean().double(), slow, rtol=1e-5, atol=1e-5)
    assert fast['hit'].flatten().tolist() == hits
    got = torch.autograd.grad(fast['loss'].mean(), (first, second))
    expected = torch.autograd.grad(slow, (first, second))
    for one, other in zip(got, expected):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def slow_multi_instance(
    queries: Tensor, keys: Tensor, valid: Tensor, temperature: float
) -> tuple[Tensor, float]:
    """Two means sample by sample and key by key in double precision, and the accuracy."""
    logits = F.cosine_similarity(queries[:, None, None].double(), keys.double(), dim=3)
    logits = logits / temperature  # (N, N, K)
    to_keys, to_samples, hits = [], [], []
    for i in valid.any(1).nonzero()[:, 0]:
        to_keys.append(logits[i][valid].logsumexp(0) - logits[i, i][valid[i]].logsumexp(0))
        best = logits[i].masked_fill(~valid, -math.inf).amax(1).argmax()
        hits.append(float(best == i))
    for j, p in valid.nonzero():
        to_samples.append(F.cross_entropy(logits[:, j, p], j))
    if not hits:
        return logits.sum() * 0, 0.0
    return (torch.stack(to_keys).mean() + torch.stack(to_samples).mean()) / 2, sum(hits) / len(hits)


def total(queries: Tensor, keys: Tensor, valid: Tensor, temperature: float) -> Tensor:
    """Mean of both directions' means, over the samples that have a key and over all keys."""
    found = MultiInstanceInfoNCELoss(temperature)(queries, keys, valid)
    to_keys = found['sample_loss'].sum() / valid.any(1).sum().clamp(min=1)
    return (to_keys + (found['key_loss'] * valid).sum() / valid.sum().clamp(min=1)) / 2


def make_keys(seed: int, num_samples: int, num_keys: int, dim: int, share_valid: float = 0.7):
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(num_samples, dim, generator=generator)
    keys = torch.randn(num_samples, num_keys, dim, generator=generator)
    valid = torch.rand(num_samples, num_keys, generator=generator) < share_valid
    return queries, keys, valid


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    num_samples=st.integers(1, 5),
    num_keys=st.integers(1, 4),
    dim=st.integers(2, 6),
    share_valid=st.sampled_from([0.0, 0.4, 1.0]),
    temperature=st.sampled_from([0.07, 0.5]),
)
def test_multi_instance_equals_the_slow_twin(
    seed, num_samples, num_keys, dim, share_valid, temperature
):
    """Value, accuracy and gradients, with samples that have no key among them."""
    queries, keys, valid = make_keys(seed, num_samples, num_keys, dim, share_valid)
    queries.requires_grad_()
    keys.requires_grad_()
    fast = total(queries, keys, valid, temperature)
    slow, accuracy = slow_multi_instance(queries, keys, valid, temperature)
    torch.testing.assert_close(fast.double(), slow, rtol=1e-4, atol=1e-5)
    hits = MultiInstanceInfoNCELoss(temperature)(queries, keys, valid)['hit'][valid.any(1)]
    assert float(hits.sum() / max(len(hits), 1)) == pytest.approx(accuracy)

    got = torch.autograd.grad(fast, (queries, keys))
    expected = torch.autograd.grad(slow, (queries, keys), allow_unused=True)
    for one, other in zip(got, expected):
        other = torch.zeros_like(one) if other is None else other
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
