"""Losses of predictions between views, DINO's with its center, against slow transcriptions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


def check(found: dict, distances: Tensor, constant: Tensor, predictions: Tensor, targets: Tensor):
    """Compare with distances ``(V, N, N)`` of predictions from targets in float64."""
    own = distances.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(found['loss'].double(), own, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found['constant'].double(), constant, rtol=1e-4, atol=1e-4)
    itself = torch.eye(distances.shape[1], dtype=torch.bool)
    others = distances.masked_fill(itself, torch.inf).amin(2)
    clear = (own - others).abs() > 1e-4  # else float32 decides
    assert torch.equal(found['hit'][clear] == 1, (own < others)[clear])
    (expected,) = torch.autograd.grad(own.sum(), predictions)
    found['loss'].sum().backward()
    torch.testing.assert_close(predictions.grad, expected, rtol=1e-3, atol=1e-4)
    assert targets.grad is None, 'targets are stopped'


@settings(max_examples=40)
@given(**SIZES, temperatures=st.sampled_from([(1.0, 1.0), (0.5, 0.2), (0.1, 0.1)]))
def test_cross_entropies_equal_the_slow_twin(seed, pairs, num, size, temperatures):
    """Value, hits, the constant answer and gradients, around a center that is not 0."""
    predictions, targets = make(seed, pairs, num, size)
    loss = CenteredCrossEntropyLoss(size, *temperatures).eval()
    center = torch.linspace(-1, 1, size)
    loss.center.copy_(center)
    logs = (predictions.double() / temperatures[0]).log_softmax(2)
    aims = ((targets.detach().double() - center) / temperatures[1]).softmax(2)
    constant = -(aims * aims.mean(1, keepdim=True).log()).sum(2)
    distances = -logs @ aims.transpose(1, 2)
    check(loss(predictions, targets), distances, constant, predictions, targets)


@settings(max_examples=40)
@given(**SIZES)
def test_cosine_distances_equal_the_slow_twin(seed, pairs, num, size):
    """Value, hits, the constant answer and gradients."""
    predictions, targets = make(seed, pairs, num, size)
    aims = targets.detach().double()
    distances = 1 - F.cosine_similarity(predictions.double()[:, :, None], aims[:, None], dim=3)
    best = F.normalize(aims, dim=2).mean(1, keepdim=True)
    constant = 1 - F.cosine_similarity(best, aims, dim=2)
    check(NegativeCosineLoss()(predictions, targets), distances, constant, predictions, targets)


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
