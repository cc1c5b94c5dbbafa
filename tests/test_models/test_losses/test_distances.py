"""Distances of joints and frames against loops; what does not count may be anything."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.losses.distances import (
    FrameLoss,
    JointLoss,
    centered,
    draw_errors,
    joint_distance,
)

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


def test_both_distances_equal_a_loop():
    prediction, target, weight = make()
    smooth = JointLoss(BETA)(prediction, target, weight)
    euclidean = joint_distance(prediction, target, weight)
    for index in (weight > 0).nonzero().tolist():
        one, other = prediction[tuple(index)].tolist(), target[tuple(index)].tolist()
        expected = sum(smooth_l1(a - b) for a, b in zip(one, other)) / 2
        assert float(smooth[tuple(index)]) == pytest.approx(expected)
        assert float(euclidean[tuple(index)]) == pytest.approx(math.dist(one, other))


@pytest.mark.parametrize('distance', [JointLoss(BETA), joint_distance])
def test_the_target_of_a_joint_without_weight_may_be_anything(distance):
    prediction, target, weight = make()
    target[weight == 0] = math.nan
    found = distance(prediction.requires_grad_(), target, weight)
    assert found.isfinite().all()
    (gradient,) = torch.autograd.grad((found * weight).sum(), prediction)
    assert not gradient[weight == 0].any() and gradient[weight > 0].all()


def test_errors_of_draws_equal_a_loop_however_little_weight_there_is():
    """Clip 0 has a thousandth of the weight of the others, clip 1 none."""
    generator = torch.Generator().manual_seed(1)
    draws = torch.randn(3, 3, 4, 5, 2, generator=generator).double()  # K, B, T, V, 2
    _, target, weight = make()
    weight[0] *= 1e-3
    weight[1] = 0
    found = draw_errors(draws, target, weight, target[:, :1])

    def slow(poses: Tensor, b: int) -> float:
        """Half of the weighted mean distance of clip b: the view is 2 wide."""
        total = sum(
            math.dist(poses[t, v].tolist(), target[b, t, v].tolist()) * float(weight[b, t, v])
            for t in range(4)
            for v in range(5)
        )
        return total / float(weight[b].sum()) / 2

    for b in (0, 2):
        each = [slow(draw[b], b) for draw in draws]
        expected = dict(
            error=sum(each) / 3,
            error_best=min(each),
            error_of_mean=slow(draws[:, b].mean(0), b),
            error_repeat_last=slow(target[b, :1].expand(4, -1, -1), b),
        )
        assert {name: float(value[b]) for name, value in found.items()} == pytest.approx(expected)
    assert all(value[1] == 0 for value in found.values())


def test_coordinates_are_centered_and_those_without_weight_are_0():
    joints = [[1.25, 0.0, 0.5], [math.nan, 0.3, 0.0], [0.9, 0.9, 0.19], [0.9, 0.9, math.nan]]
    pose = torch.tensor([[joints, [[0.2, 0.2, 1.0]] * 4]])
    coordinates, weight = centered(pose, torch.tensor([[True, False]]))
    assert weight.tolist() == [[[0.5, 0, 0, 0], [0] * 4]]
    assert coordinates.tolist() == [[[[1.5, -1], *[[0, 0]] * 3], [[0, 0]] * 4]]


def test_the_distance_of_frames_is_quadratic_up_to_1_and_then_linear():
    fake = torch.zeros(1, 3, 2, 1, 2)
    real = fake.clone()
    real[0, :, 0, 0, 0], real[0, :, 1, 0, 1] = 0.5, 3.0
    assert FrameLoss()(fake, real).tolist() == [[0.5**2 / 2 / 2, (3 - 0.5) / 2]]
