"""Hinge losses, the R1 penalty, and reading a discriminator without training it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmact_ssl.models.losses.hinge_gan import HingeGANLoss, call_with_frozen_weights, r1_penalty


class Score(nn.Module):
    """A discriminator of samples ``(N, 4)``."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.layers(samples.flatten(1))[:, 0]


def test_hinge_losses_by_hand_push_only_inside_the_margin():
    real = torch.tensor([2.0, 0.5, -1.0, 0.0], requires_grad=True)
    fake = torch.tensor([-3.0, 0.0, 2.0, -1.0], requires_grad=True)
    found = HingeGANLoss(weight=0.5)(nn.Identity(), real, fake, iteration=1)
    # max(0, 1 - real) = 0, .5, 2, 1; max(0, 1 + fake) = 0, 1, 3, 0
    assert found.discriminator.tolist() == [0, 1.5, 5, 1]
    assert found.generator.tolist() == [1.5, 0, -1, 0.5]
    assert found.accuracy.tolist() == [1, 0.5, 0, 0.5], 'a score of 0 is not right'
    assert found.matched is None
    found.discriminator.sum().backward()
    assert real.grad.tolist() == [0, -1, -1, -1]
    assert fake.grad is None, 'the discriminator teaches the generator nothing'


def test_the_penalty_comes_every_interval_and_in_training_alone():
    real, fake = torch.randn(2, 3, 4)
    loss = HingeGANLoss(r1_weight=2.0, r1_interval=3)
    plain = HingeGANLoss()(Score(), real, fake, iteration=1)
    variable = real.clone().requires_grad_()
    penalty = r1_penalty(Score()(variable), variable)
    for iteration in range(5):
        found = loss(Score(), real, fake, iteration=iteration)
        torch.testing.assert_close(found.generator, plain.generator)
        expected = plain.discriminator + 2.0 * 3 * penalty * (iteration % 3 == 0)
        torch.testing.assert_close(found.discriminator, expected)
    found = loss.eval()(Score(), real, fake, iteration=0)
    torch.testing.assert_close(found.discriminator, plain.discriminator)


def test_second_derivatives_are_not_taken_in_half_precision():
    real, fake = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    loss = HingeGANLoss(r1_weight=2.0, r1_interval=2)
    for iteration, exact in ((0, True), (1, False)):
        expected = loss(Score(), real, fake, iteration=iteration).discriminator
        with torch.autocast('cpu', torch.bfloat16):
            found = loss(Score(), real, fake, iteration=iteration).discriminator
        assert torch.equal(found, expected) is exact


@pytest.mark.parametrize('r1_weight', [0.0, 2.0])
def test_a_real_sample_under_a_wrong_condition_is_half_of_the_fakes(r1_weight: float):
    """Scores are sample plus condition; real, fake and wrong scores by hand."""

    class Sum(nn.Module):
        def forward(self, samples: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            return samples[:, 0] + condition

    real, fake = torch.tensor([[[1.0], [0.2], [-2.0]], [[0.5], [-4.0], [0.0]]])
    own, wrong = torch.zeros(3), torch.tensor([-3.0, 1.0, 0.0])
    loss = HingeGANLoss(weight=0.5, r1_weight=r1_weight, r1_interval=1)
    found = loss(Sum(), real, fake, own, wrong=(wrong,))
    real_terms = [max(0.0, 1 - value) for value in (1.0, 0.2, -2.0)]
    fake_terms = [max(0.0, 1 + value) for value in (0.5, -4.0, 0.0)]
    wrong_terms = [max(0.0, 1 + value) for value in (-2.0, 1.2, -2.0)]
    penalty = r1_weight / 2  # the gradient of a sum is 1
    for n in range(3):
        expected = real_terms[n] + (fake_terms[n] + wrong_terms[n]) / 2 + penalty
        assert float(found.discriminator[n].detach()) == pytest.approx(expected)
    torch.testing.assert_close(found.generator, -0.5 * fake[:, 0])
    assert found.accuracy.tolist() == [0.75, 0.75, 0.25]
    assert found.matched.tolist() == [1, 0, 0]


def test_r1_penalty_is_half_the_squared_gradient_of_each_sample_and_trains_the_discriminator():
    """For D(x) = a |x|^2 the penalty is |2 a x|^2 / 2, and its derivative 4 a |x|^2."""
    a = torch.tensor(0.7, dtype=torch.double, requires_grad=True)
    real = torch.randn(3, 2, 2, dtype=torch.double, requires_grad=True)
    square = real.square().sum((1, 2))
    penalty = r1_penalty(a * square, real)
    torch.testing.assert_close(penalty, 2 * 0.7**2 * square)
    penalty.sum().backward()
    assert float(a.grad) == pytest.approx(4 * 0.7 * float(square.detach().sum()))


def test_frozen_weights_get_no_gradient_and_inputs_the_ordinary_one():
    discriminator = Score()
    frozen_input = torch.randn(3, 4, requires_grad=True)
    ordinary_input = frozen_input.detach().clone().requires_grad_()
    frozen = call_with_frozen_weights(discriminator, frozen_input)
    ordinary = discriminator(ordinary_input)
    assert torch.equal(frozen, ordinary)
    frozen.square().sum().backward()
    assert all(p.grad is None and p.requires_grad for p in discriminator.parameters())
    ordinary.square().sum().backward()
    assert torch.equal(frozen_input.grad, ordinary_input.grad) and frozen_input.grad.any()
