"""Distances between joints against loops over them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.losses.distances import JointLoss, joint_distance

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
