"""The tasks' gradients on the shared backbone, by autograd on each, and PCGrad's projections."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.balancer import PCGrad, projected_sum
from mmact_ssl.models.balancers.shared_gradients import SharedGradients, shared_weights


class Step:
    """Two views through one backbone, and tasks that read one, the other, both or none."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)).to(dtype)
        self.head = nn.Linear(4, 3).to(dtype)
        views = torch.randn(2, 8, 6).to(dtype)
        self.maps = [self.backbone(view) for view in views]
        one, two = self.maps
        self.losses = dict(
            one=self.head(one).square().mean(),
            two=(self.head(two) - 1).square().mean(),
            both=-(one * two).mean(),
            none=self.head.weight.square().sum(),
        )

    def gradients(self, prefix: str | None = None) -> SharedGradients:
        return SharedGradients(self.losses, self.maps, self.backbone, prefix)


def slow_gradients(step: Step, parameters: list[nn.Parameter]) -> list[Tensor]:
    """Task by task."""
    options = dict(retain_graph=True, materialize_grads=True)
    found = [torch.autograd.grad(loss, parameters, **options) for loss in step.losses.values()]
    return [torch.cat([gradient.flatten() for gradient in gradients]) for gradients in found]


def of(module: nn.Module) -> Tensor:
    """The gradient that the module has, in one row."""
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()]).double()


@pytest.mark.parametrize('prefix', [None, '', '0', '2'])
def test_inner_products_on_the_shared_weights(prefix):
    exact = Step(torch.float64)
    parameters = {
        None: [exact.backbone[2].weight],
        '': list(exact.backbone.parameters()),
        '0': list(exact.backbone[0].parameters()),
        '2': list(exact.backbone[2].parameters()),
    }[prefix]
    rows = slow_gradients(exact, parameters)
    expected = torch.stack([torch.stack([a @ b for b in rows]) for a in rows])
    gram = Step().gradients(prefix).gram()
    torch.testing.assert_close(gram.double(), expected, rtol=1e-4, atol=1e-7)
    # Tasks that read different views meet on the weights all the same.
    assert abs(float(gram[0, 1])) > 1e-6
    assert gram[3].tolist() == gram[:, 3].tolist() == [0] * 4


def test_a_loss_scale_is_divided_out():
    torch.testing.assert_close(Step().gradients().gram(), Step().gradients().gram(scale=2.0**14))


def test_a_loss_without_any_gradient_has_none():
    step = Step()
    step.losses['constant'] = torch.tensor(2.0)
    assert step.gradients().gram()[4].tolist() == [0] * 5


def test_shared_weights_are_chosen_by_whole_names():
    backbone = nn.Sequential(*[nn.Linear(2, 2) for _ in range(11)])
    assert shared_weights(backbone, '1') == list(backbone[1].parameters())  # and not those of 10
    assert shared_weights(backbone) == [backbone[10].weight]
    for parameter in backbone[10].parameters():
        parameter.requires_grad = False
    assert shared_weights(backbone) == [backbone[9].weight]
    with pytest.raises(ConfigError, match=r"model\.shared_weights='layer4'.*'0', '1', '2'"):
        shared_weights(backbone, 'layer4')
    with pytest.raises(ConfigError, match='no trainable parameter'):
        shared_weights(backbone, '10')


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


@settings(max_examples=60)
@given(count=st.integers(1, 6), seed=st.integers(0, 10_000), zero=st.booleans())
def test_the_sum_of_projections(count, seed, zero):
    generator = torch.Generator().manual_seed(seed)
    gradients = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    if zero:
        gradients[0] = 0  # a task without a gradient
    expected = slow_pcgrad(gradients, orders_of(seed, count)).sum(0)
    factors = projected_sum(gradients @ gradients.T, random.Random(seed))
    torch.testing.assert_close(factors @ gradients, expected)


def test_training_steps_as_published():
    """The backbone gets the projected gradient on all of its weights, heads their own."""
    weights = dict(one=1.0, two=0.5, both=2.0)
    exact, step = Step(torch.float64), Step()
    rows = torch.stack(slow_gradients(exact, list(exact.backbone.parameters())))
    rows = rows * torch.tensor([*weights.values(), 1.0])[:, None]
    assert int((rows @ rows.T < 0).sum()) >= 2, 'a test without conflict shows nothing'
    expected = slow_pcgrad(rows, orders_of(0.25, 4)).sum(0)
    assert (expected - rows.sum(0)).norm() > 0.05 * expected.norm()

    loss = PCGrad(weights)(step.losses, 0.25, step.gradients(''), step.losses)
    plain = sum(weights.get(task, 1.0) * value for task, value in exact.losses.items())
    assert float(loss) == pytest.approx(float(plain), rel=1e-5)
    loss.backward()
    torch.testing.assert_close(of(step.backbone), expected, rtol=1e-4, atol=1e-6)
    exact.head.zero_grad()
    plain.backward()
    torch.testing.assert_close(of(step.head), of(exact.head), rtol=1e-4, atol=1e-6)


def test_the_order_is_drawn_from_the_progress_alone():
    state, python_state = torch.get_rng_state(), random.getstate()
    step = Step()
    torch.set_rng_state(state)
    gradients = []
    for progress in (0.1, 0.1, 0.7):
        loss = PCGrad()(step.losses, progress, step.gradients(), step.losses)
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
        PCGrad()(step.losses, 0.0, step.gradients(), step.losses)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        PCGrad()(step.losses, 0.0, step.gradients(), step.losses).backward()
    assert all(p.grad.isfinite().all() for p in step.backbone.parameters())
