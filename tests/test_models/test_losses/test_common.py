"""Parts of all contrastive losses, in one process; test_two_processes.py has two."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.models.losses.common import global_mean, of_another_sample


@pytest.mark.parametrize(
    ('samples', 'others'), [(1, [0]), (2, [1, 0]), (4, [2, 3, 0, 1]), (5, [2, 3, 4, 0, 1])]
)
def test_every_sample_gets_that_half_of_the_batch_away(samples: int, others: list[int]):
    values = torch.arange(float(samples)).requires_grad_()
    found = of_another_sample(values)
    assert found.tolist() == others and not found.requires_grad


def test_a_global_mean_needs_no_weight_of_1_and_may_have_none():
    values = torch.tensor([2.0, 4.0, 7.0], requires_grad=True)
    weight = torch.tensor([0.1, 0.3, 0.0], requires_grad=True)
    mean = global_mean(values, weight)
    assert float(mean.detach()) == pytest.approx(3.5)
    mean.backward()
    assert values.grad.tolist() == pytest.approx([0.25, 0.75, 0])
    (gradient,) = torch.autograd.grad(nothing := global_mean(values, 0 * weight.detach()), values)
    assert nothing == 0 and not gradient.any()
