"""Parts of all contrastive losses, in one process; test_two_processes.py has two."""

from __future__ import annotations

import pytest
import torch

from mmact_ssl.models.losses.common import global_mean, of_another_sample, unit_rows


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


def test_rows_have_means_of_their_own():
    generator = torch.Generator().manual_seed(0)
    values, weight = torch.rand(2, 3, 5, dtype=torch.float64, generator=generator)
    expected = [
        sum(v * w for v, w in zip(*row)) / sum(row[1])
        for row in zip(values.tolist(), weight.tolist())
    ]
    assert global_mean(values, weight).tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_row_of_zeros_stays_zero_and_gets_no_gradient(dtype):
    values = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=dtype, requires_grad=True)
    unit_rows(values)[:, 0].sum().backward()
    assert unit_rows(values).flatten().tolist() == pytest.approx([0, 0, 0.6, 0.8])
    assert values.grad.flatten().tolist() == pytest.approx([0, 0, 0.128, -0.096], rel=0.01)
