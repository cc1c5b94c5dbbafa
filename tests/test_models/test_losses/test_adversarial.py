"""Hinge losses, the R1 penalty, and reading a discriminator without training it."""

from __future__ import annotations

import torch
from torch import nn

from mmact_ssl.models.losses import (
    call_with_frozen_weights,
    hinge_discriminator_loss,
    hinge_generator_loss,
    r1_penalty,
)


def test_hinge_losses_by_hand():
    real = torch.tensor([2.0, 0.5, -1.0])
    fake = torch.tensor([-3.0, 0.0, 2.0])
    # max(0, 1 - real) = 0, .5, 2; max(0, 1 + fake) = 0, 1, 3
    torch.testing.assert_close(
        hinge_discriminator_loss(real, fake), torch.tensor(2.5 / 3 + 4.0 / 3)
    )
    torch.testing.assert_close(hinge_generator_loss(fake), torch.tensor(1.0 / 3))


def test_hinge_pushes_only_inside_the_margin():
    real = torch.tensor([2.0, 0.0], requires_grad=True)
    fake = torch.tensor([-2.0, 0.0], requires_grad=True)
    hinge_discriminator_loss(real, fake).backward()
    assert real.grad.tolist() == [0, -0.5]
    assert fake.grad.tolist() == [0, 0.5]


def small_discriminator() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def test_r1_penalty_against_finite_differences():
    """The penalty of each sample's gradient, by central differences, a number at a time."""
    discriminator = small_discriminator()
    real = torch.randn(3, 2, 2, dtype=torch.double)
    epsilon, squares = 1e-5, []
    for sample in real:
        for index in range(4):
            step = torch.zeros(4, dtype=torch.double)
            step[index] = epsilon
            step = step.view(2, 2)
            with torch.no_grad():
                up = discriminator((sample + step).flatten())
                down = discriminator((sample - step).flatten())
            squares.append(float((up - down) / (2 * epsilon)) ** 2)
    variable = real.clone().requires_grad_()
    penalty = r1_penalty(discriminator(variable.flatten(1))[:, 0], variable)
    torch.testing.assert_close(float(penalty), sum(squares) / 3 / 2, rtol=1e-6, atol=0)


def test_r1_penalty_trains_the_discriminator():
    """For D(x) = a x^2 the penalty is mean((2 a x)^2) / 2, and its derivative mean(4 a x^2)."""
    a = torch.tensor(0.7, requires_grad=True)
    real = torch.tensor([[1.0], [-2.0], [0.5]], requires_grad=True)
    penalty = r1_penalty((a * real.square())[:, 0], real)
    mean_square = float(real.detach().square().mean())
    torch.testing.assert_close(float(penalty), 2 * 0.7**2 * mean_square)
    penalty.backward()
    torch.testing.assert_close(float(a.grad), 4 * 0.7 * mean_square)


def test_frozen_weights_get_no_gradient_and_inputs_the_ordinary_one():
    discriminator = small_discriminator()
    frozen_input = torch.randn(3, 4, dtype=torch.double, requires_grad=True)
    ordinary_input = frozen_input.detach().clone().requires_grad_()
    frozen = call_with_frozen_weights(discriminator, frozen_input)
    ordinary = discriminator(ordinary_input)
    assert torch.equal(frozen, ordinary)
    frozen.square().sum().backward()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())
    ordinary.square().sum().backward()
    assert torch.equal(frozen_input.grad, ordinary_input.grad)
    assert frozen_input.grad.abs().sum() > 0
