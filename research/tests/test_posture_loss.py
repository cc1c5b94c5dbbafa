"""The posture against loops; where it has no size, the gradient is finite."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.distances import JointLoss
from research.parts.posture_loss import PostureLoss

BETA = 0.3


def make() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, 3, 4, 5, 2, generator=generator).double()
    weight = torch.rand(3, 4, 5, generator=generator).double()
    weight[weight < 0.3] = 0
    return prediction, target, weight


def smooth_l1(difference: float) -> float:
    size = abs(difference)
    return size * size / (2 * BETA) if size < BETA else size - BETA / 2


def body(poses: Tensor, weight: Tensor) -> dict[tuple[int, int], Tensor]:
    """Joints ``(t, v)`` of a clip ``(T, V, 2)`` about their place, in units of their size."""
    joints = [(t, v) for t, v in (weight > 0).nonzero().tolist()]
    total = sum(weight[joint] for joint in joints)
    place = sum(weight[joint] * poses[joint] for joint in joints) / total
    square = sum(weight[joint] * (poses[joint] - place).square().sum() for joint in joints) / total
    return {joint: (poses[joint] - place) / math.sqrt(square) for joint in joints}


def test_the_posture_is_compared_about_each_bodys_own_place_in_units_of_its_own_size():
    prediction, target, weight = make()
    found = PostureLoss(BETA / 3, posture=2.0)(prediction, target, weight)
    found = found - JointLoss(BETA / 3)(prediction, target, weight)
    for clip in range(len(weight)):
        one, other = (body(poses[clip], weight[clip]) for poses in (prediction, target))
        for joint, place in one.items():
            difference = (place - other[joint]).tolist()
            expected = 2 * sum(smooth_l1(d) for d in difference) / 2
            assert float(found[clip][joint]) == pytest.approx(expected)


@given(st.floats(0.2, 5), st.floats(-3, 3))
@settings(max_examples=20)
def test_the_posture_is_the_same_in_every_crop(zoom, place):
    prediction, target, weight = make()

    def posture(prediction: Tensor) -> Tensor:
        whole = PostureLoss(BETA, posture=1.0)(prediction, target, weight)
        return (whole - JointLoss(BETA)(prediction, target, weight)) * weight

    torch.testing.assert_close(posture(zoom * prediction + place), posture(prediction))


@pytest.mark.parametrize('seen', [0.0, 1.0])
def test_joints_in_one_place_or_unseen_have_a_finite_gradient(seen):
    _, target, weight = make()
    weight[0] = seen
    prediction = torch.zeros_like(target).requires_grad_()
    (PostureLoss(BETA, posture=1.0)(prediction, target, weight) * weight).sum().backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad[0].any() == bool(seen)
