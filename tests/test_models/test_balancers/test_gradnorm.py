"""GradNorm: a step against autograd on the published loss, and what it is for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.gradnorm import GradNorm, gradnorm_step
from mmact_ssl.models.balancers.shared_gradients import SharedGradients


def slow_step(
    weights: Tensor, norms: Tensor, losses: Tensor, first: Tensor, alpha: float, rate: float
) -> Tensor:
    """Equations 1 and 2 in float64, differentiated by autograd with respect to log weights."""
    logarithms = weights.log().requires_grad_()
    weighted = logarithms.exp() * norms
    ratios = losses / first
    rates = ratios / ratios.mean()
    target = (weighted.mean() * rates**alpha).detach()
    loss = (weighted - target).abs().sum() / weighted.mean().detach()
    (slope,) = torch.autograd.grad(loss, logarithms)
    moved = (logarithms.detach() - rate * slope).exp()
    return moved / moved.sum() * len(moved)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 5), seed=st.integers(0, 10_000), alpha=st.floats(0, 2))
def test_a_step_is_the_published_descent(count, seed, alpha):
    generator = torch.Generator().manual_seed(seed)
    weights, norms, losses, first = 0.1 + torch.rand(
        4, count, generator=generator, dtype=torch.float64
    )
    expected = slow_step(weights, norms, losses, first, alpha, 0.1)
    ratios = losses / first
    got = gradnorm_step(weights, norms, (ratios / ratios.mean()) ** alpha, 0.1)
    torch.testing.assert_close(got, expected)
    assert float(got.sum()) == pytest.approx(count)


class Quadratics(nn.Module):
    """Tasks |scale * (feature - aim)|^2 that share a backbone of one layer."""

    def __init__(self, scales: dict[str, float], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Linear(8, len(scales), bias=False).to(dtype)
        self.scales = scales
        self.inputs = torch.randn(32, 8).to(dtype)
        self.aims = self.inputs @ torch.randn(8, len(scales)).to(dtype)

    def step(self) -> tuple[dict[str, Tensor], SharedGradients]:
        features = self.backbone(self.inputs)
        losses = {
            task: scale * (features[:, k] - self.aims[:, k]).square().mean()
            for k, (task, scale) in enumerate(self.scales.items())
        }
        return losses, SharedGradients(losses, [features], self.backbone)


def test_three_steps_of_training_equal_the_slow_twin():
    scales = dict(a=1.0, b=10.0, c=0.1)
    model, exact = Quadratics(scales), Quadratics(scales, torch.float64)
    balancer = GradNorm(alpha=0.5, rate=0.1, tasks=list(scales))
    weights, first = torch.ones(3, dtype=torch.float64), None
    for _ in range(3):
        losses, gradients = model.step()
        before = {task: float(balancer.weight(task, 0.0)) for task in scales}
        total = balancer(losses, 0.0, gradients, losses)
        assert float(total.detach()) == pytest.approx(
            sum(before[t] * float(losses[t].detach()) for t in losses)
        )
        total.backward()

        slow, _ = exact.step()
        first = first or [float(loss.detach()) for loss in slow.values()]
        norms = torch.stack(
            [
                torch.autograd.grad(loss, exact.backbone.weight, retain_graph=True)[0].norm()
                for loss in slow.values()
            ]
        )
        sum(w * loss for w, loss in zip(weights, slow.values())).backward()
        now = torch.stack(list(slow.values())).detach()
        weights = slow_step(weights, norms, now, torch.tensor(first).double(), 0.5, 0.1)
        got = [float(balancer.weight(task, 0.0)) for task in scales]
        assert got == pytest.approx(weights.tolist(), rel=1e-4)
        torch.testing.assert_close(
            model.backbone.weight.grad.double(), exact.backbone.weight.grad, rtol=1e-4, atol=1e-6
        )
        for network in (model, exact):
            with torch.no_grad():
                network.backbone.weight -= 0.01 * network.backbone.weight.grad
            network.backbone.weight.grad = None


class Norms:
    """Gradients of given norms, orthogonal to each other."""

    def __init__(self, *norms: float) -> None:
        self.norms = torch.tensor(norms)

    def gram(self) -> Tensor:
        return torch.diag(self.norms.square())


def step(balancer: GradNorm, losses: list[float], norms: list[float]) -> list[float]:
    """The weights after a step of these losses and norms."""
    named = {task: torch.tensor(loss) for task, loss in zip(balancer.tasks, losses)}
    balancer(named, 0.0, Norms(*norms), named)
    return [float(balancer.weight(task, 0.0)) for task in balancer.tasks]


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 5), seed=st.integers(0, 10_000), alpha=st.floats(0, 2))
def test_a_step_without_some_tasks_is_that_of_the_others(count, seed, alpha):
    generator = torch.Generator().manual_seed(seed)
    weights, norms, shares = 0.1 + torch.rand(3, count, generator=generator, dtype=torch.float64)
    weights = weights * count / weights.sum()
    has_gradient = torch.rand(count, generator=generator) > 0.4
    got = gradnorm_step(weights, norms * has_gradient, shares**alpha, 0.1)
    assert torch.equal(got[~has_gradient], weights[~has_gradient])
    if has_gradient.any():
        others = gradnorm_step(
            weights[has_gradient], norms[has_gradient], shares[has_gradient] ** alpha, 0.1
        )
        torch.testing.assert_close(
            got[has_gradient] / got[has_gradient].sum(), others / others.sum()
        )
    assert float(got.sum()) == pytest.approx(count)


@pytest.mark.parametrize('bad', [float('inf'), float('nan')])
@pytest.mark.parametrize('where', ['loss', 'gradient', 'first loss'])
def test_a_task_that_is_not_finite_keeps_its_weight_and_the_others_go_on(bad, where):
    whole, other = (GradNorm(alpha=0.5, rate=0.1, tasks=('a', 'b', 'c')) for _ in range(2))
    if where != 'first loss':
        assert step(whole, [4.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == step(
            other, [4.0, 2.0, 3.0], [1.0, 2.0, 3.0]
        )
    losses, norms = [3.0, bad, 1.0], [1.0, 2.0, 4.0]
    if where == 'gradient':
        losses, norms = [3.0, 1.0, 1.0], [1.0, bad, 4.0]
    # As in a step in which it has no gradient.
    assert step(whole, losses, norms) == step(other, [3.0, 1.0, 1.0], [1.0, 0.0, 4.0])
    after = step(whole, [2.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    assert after == step(other, [2.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    assert min(after) > 0


def test_the_first_loss_is_that_of_the_first_step_with_a_gradient():
    balancer = GradNorm(tasks=('a', 'b'))
    assert step(balancer, [4.0, 0.0], [1.0, 0.0]) == [1.0, 1.0]
    # A run that is resumed in between knows which task has not been seen.
    resumed = GradNorm(tasks=('a', 'b'))
    resumed.load_state_dict(balancer.state_dict())
    for one in (balancer, resumed):
        step(one, [3.0, 5.0], [1.0, 1.0])
        assert [float(state.first_loss) for state in one.states.values()] == [4.0, 5.0]
    assert step(balancer, [2.0, 2.0], [1.0, 3.0]) == step(resumed, [2.0, 2.0], [1.0, 3.0])


def test_the_checkpoint_holds_all_that_the_next_step_needs():
    whole, resumed = GradNorm(tasks=('a', 'b')), GradNorm(tasks=('b', 'a'))
    for losses in ([4.0, 2.0], [3.0, 1.0]):
        before = step(whole, losses, [1.0, 5.0])
    assert before[0] != 1
    resumed.load_state_dict(whole.state_dict())
    after = step(whole, [2.0, 1.5], [2.0, 1.0])
    assert step(resumed, [1.5, 2.0], [1.0, 2.0])[::-1] == pytest.approx(after)
    assert step(whole.eval(), [1.0, 1.0], [1.0, 9.0]) == after, 'outside of training nothing moves'


def test_a_first_loss_below_zero_is_named():
    balancer = GradNorm(tasks=('a', 'b'))
    with pytest.raises(ConfigError, match=r"'b' starts at -.*model\.heads\.b"):
        step(balancer, [1.0, -5.0], [1.0, 1.0])
    # What counts is how far the task is, not its adversarial part.
    losses = dict(a=torch.tensor(1.0), b=torch.tensor(-5.0))
    balancer(losses, 0.0, Norms(1.0, 1.0), dict(a=losses['a'], b=-losses['b']))
