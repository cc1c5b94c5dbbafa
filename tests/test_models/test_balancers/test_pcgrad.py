"""PCGrad by inner products, against the published loop on vectors."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.pcgrad import PCGrad, projected_sum
from mmact_ssl.models.balancers.shared_gradients import SharedGradients


def slow_pcgrad(gradients: Tensor, orders: list[list[int]]) -> Tensor:
    """Algorithm 1, vector by vector: (K, P) -> the projected vectors (K, P)."""
    projected = [g.clone() for g in gradients]
    for i, order in enumerate(orders):
        for j in order:
            product = projected[i] @ gradients[j]
            if product < 0:
                projected[i] -= product / (gradients[j] @ gradients[j]) * gradients[j]
    return torch.stack(projected)


def orders_of(seed: float, count: int) -> list[list[int]]:
    generator = random.Random(seed)
    return [generator.sample([j for j in range(count) if j != i], count - 1) for i in range(count)]


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 10_000), zero=st.booleans())
def test_the_sum_of_projections(count, seed, zero):
    generator = torch.Generator().manual_seed(seed)
    gradients = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    if zero:
        gradients[0] = 0  # a task without a gradient
    expected = slow_pcgrad(gradients, orders_of(seed, count)).sum(0)
    factors = projected_sum(gradients @ gradients.T, random.Random(seed))
    torch.testing.assert_close(factors @ gradients, expected)


class Step:
    """One backbone, three heads whose tasks conflict."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(1)
        self.backbone = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)).to(dtype)
        self.heads = nn.ModuleList(nn.Linear(4, 1) for _ in range(3)).to(dtype)
        features = self.backbone(torch.randn(16, 6).to(dtype))
        aims = torch.randn(3, 16, 1).to(dtype)
        self.losses = {
            name: (head(features) - 3 * aim).square().mean()
            for name, head, aim in zip('abc', self.heads, aims)
        }
        self.gradients = SharedGradients(self.losses, [features], self.backbone, '')


def test_training_steps_as_published():
    """The backbone gets the projected gradient on all of its weights, heads their own."""
    weights = dict(a=1.0, b=0.5, c=2.0)
    exact, step = Step(torch.float64), Step()
    parameters = list(exact.backbone.parameters())
    rows = torch.stack(
        [
            torch.cat(
                [g.flatten() for g in torch.autograd.grad(loss, parameters, retain_graph=True)]
            )
            * weights[task]
            for task, loss in exact.losses.items()
        ]
    )
    gram = rows @ rows.T
    assert int((gram < 0).sum()) >= 2, 'a test without conflict shows nothing'
    expected = slow_pcgrad(rows, orders_of(0.25, 3)).sum(0)
    assert (expected - rows.sum(0)).norm() > 0.05 * expected.norm()

    loss = PCGrad(weights)(step.losses, 0.25, step.gradients, step.losses)
    plain = sum(weights[task] * value for task, value in exact.losses.items())
    assert float(loss) == pytest.approx(float(plain), rel=1e-5)
    loss.backward()
    got = torch.cat([p.grad.flatten() for p in step.backbone.parameters()])
    torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-6)
    plain.backward()
    for head, reference in zip(step.heads.parameters(), exact.heads.parameters()):
        torch.testing.assert_close(head.grad.double(), reference.grad, rtol=1e-4, atol=1e-6)


def test_the_order_is_drawn_from_the_progress_alone():
    state, python_state = torch.get_rng_state(), random.getstate()
    step = Step()
    torch.set_rng_state(state)
    gradients = []
    for progress in (0.1, 0.1, 0.7):
        loss = PCGrad()(step.losses, progress, step.gradients, step.losses)
        gradients.append(torch.autograd.grad(loss, step.backbone[0].weight, retain_graph=True)[0])
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(torch.get_rng_state(), state)
    assert random.getstate() == python_state
    orders = {str(orders_of(progress / 10, 3)) for progress in range(10)}
    assert len(orders) > 3


def test_half_precision_is_refused_and_bfloat16_is_not():
    step = Step()
    with (
        torch.autocast('cpu', dtype=torch.float16),
        pytest.raises(ConfigError, match=r"'PCGrad'.*optim_wrapper\.dtype='bfloat16'"),
    ):
        PCGrad()(step.losses, 0.0, step.gradients, step.losses)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        PCGrad()(step.losses, 0.0, step.gradients, step.losses).backward()
    assert all(p.grad.isfinite().all() for p in step.backbone.parameters())
