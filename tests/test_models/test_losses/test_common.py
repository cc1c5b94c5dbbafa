"""Parts of all losses, and what holds for all contrastive ones; test_two_processes.py has two."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.losses.common import global_mean, of_another_sample, unit_rows
from mmact_ssl.models.losses.contrastive import (
    InfoNCELoss,
    MultiInstanceInfoNCELoss,
    MultiPositiveInfoNCELoss,
    NTXentLoss,
    SoftTargetInfoNCELoss,
)
from mmact_ssl.models.losses.masked import LatentLoss, PatchLoss
from mmact_ssl.models.losses.redundancy import BarlowTwinsLoss, VICRegLoss
from mmact_ssl.models.losses.view_prediction import CenteredCrossEntropyLoss, NegativeCosineLoss

VALID = torch.arange(6) > 0  # the first one overflows half precision unless it is left out
OWN = torch.eye(6, dtype=torch.bool)
# Losses of two sets (6, 8) with matching rows.
LOSSES = dict(
    nt_xent=lambda a, b: NTXentLoss(0.1, None)(a, b)['loss'],
    info_nce=lambda a, b: InfoNCELoss(0.01)(a, b, VALID)['loss'],
    multi_instance=lambda a, b: MultiInstanceInfoNCELoss(0.07)(a, b[:, None], VALID[:, None])[
        'sample_loss'
    ],
    multi_positive=lambda a, b: MultiPositiveInfoNCELoss(0.01)(a, b, OWN, ~OWN)['loss'],
    soft_target=lambda a, b: SoftTargetInfoNCELoss(0.01, 0.01)(a, b, VALID, 0.5, (b, a))['loss'],
    negative_cosine=lambda a, b: NegativeCosineLoss()(a[None], b[None])['loss'],
    centered=lambda a, b: CenteredCrossEntropyLoss(8).eval()(a[None], b[None])['loss'],
    barlow=lambda a, b: BarlowTwinsLoss()(a, b)['loss'],
    vicreg=lambda a, b: VICRegLoss()(a, b)['loss'],
    patches=lambda a, b: PatchLoss()(a[..., None], b[..., None].float()),
    latents=LatentLoss(),
)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('loss', LOSSES.values(), ids=LOSSES)
def test_mixed_precision_does_not_touch_the_logits(loss, dtype):
    first, second = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(2))
    expected = loss(first, second)
    with torch.autocast('cpu', dtype=dtype):
        assert torch.equal(loss(first, second), expected)
    half = loss(first.to(dtype), second.to(dtype))
    assert half.dtype == torch.float32
    # What has been rounded before it came, counts as it is.
    torch.testing.assert_close(half, loss(first.to(dtype).float(), second.to(dtype).float()))


@pytest.mark.parametrize(
    ('loss', 'features'),
    [
        (NegativeCosineLoss(), torch.ones(2, 8, 4)),
        (CenteredCrossEntropyLoss(4, 1.0, 1.0), torch.zeros(2, 8, 4)),
        (CenteredCrossEntropyLoss(4, 1.0, 1.0), torch.eye(4)[0].expand(2, 8, 4) * 30),
    ],
)
def test_collapsed_features_are_at_chance_and_no_better_than_the_constant_answer(loss, features):
    found = loss(features, features)
    assert float(found['hit'].mean()) == 1 / 8
    torch.testing.assert_close(found['loss'], found['constant'])


@pytest.mark.parametrize(
    ('samples', 'others'), [(1, [0]), (2, [1, 0]), (4, [2, 3, 0, 1]), (5, [2, 3, 4, 0, 1])]
)
def test_every_sample_gets_that_half_of_the_batch_away(samples: int, others: list[int]):
    values = torch.arange(float(samples)).requires_grad_()
    found = of_another_sample(values)
    assert found.tolist() == others and not found.requires_grad


def test_global_means_are_those_of_each_row_and_need_no_weight_of_1():
    values = torch.tensor([[2.0, 4.0, 7.0], [1.0, 5.0, 3.0], [8.0, 9.0, 9.0]], requires_grad=True)
    weight = torch.tensor([[0.1, 0.3, 0.0], [2.0, 0.0, 2.0], [0.0, 0.0, 0.0]], requires_grad=True)
    mean: Tensor = global_mean(values, weight)
    assert mean.tolist() == pytest.approx([3.5, 2, 0]), 'without any weight it is 0'
    mean.sum().backward()
    expected = [0.25, 0.75, 0, 0.5, 0, 0.5, 0, 0, 0]
    assert values.grad.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_row_of_zeros_stays_zero_and_gets_no_gradient(dtype):
    values = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=dtype, requires_grad=True)
    unit_rows(values)[:, 0].sum().backward()
    assert unit_rows(values).flatten().tolist() == pytest.approx([0, 0, 0.6, 0.8])
    assert values.grad.flatten().tolist() == pytest.approx([0, 0, 0.128, -0.096], rel=0.01)
