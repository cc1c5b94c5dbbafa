"""Distances of joints, of frames and at masked places against loops in float64."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmact_ssl.models.losses.distances import FrameLoss, JointLoss, centered, joint_distance
from mmact_ssl.models.losses.masked import PatchLoss, normalize_patches

BETA = 0.3


def make() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, 3, 4, 5, 2, generator=generator).double()
    weight = torch.rand(3, 4, 5, generator=generator).double()
    weight[weight < 0.3] = 0
    return prediction, target, weight


def test_both_distances_are_those_of_torch():
    prediction, target, weight = make()
    smooth = F.smooth_l1_loss(prediction, target, reduction='none', beta=BETA).mean(-1)
    seen = weight > 0
    torch.testing.assert_close(JointLoss(BETA)(prediction, target, weight)[seen], smooth[seen])
    found = joint_distance(prediction, target, weight)
    torch.testing.assert_close(found[seen], (prediction - target).norm(dim=-1)[seen])


@pytest.mark.parametrize('distance', [JointLoss(BETA), joint_distance])
def test_the_target_of_a_joint_without_weight_may_be_anything(distance):
    prediction, target, weight = make()
    target[weight == 0] = math.nan
    found = distance(prediction.requires_grad_(), target, weight)
    assert found.isfinite().all()
    (gradient,) = torch.autograd.grad((found * weight).sum(), prediction)
    assert not gradient[weight == 0].any() and gradient[weight > 0].all()


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


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


@settings(max_examples=25)
@given(
    values=st.integers(2, 6),
    channels=st.integers(1, 3),
    contrast=st.sampled_from([3, 1e-3]),
    as_pixels=st.booleans(),
)
def test_patches_are_compared_in_units_of_their_own_contrast(values, channels, contrast, as_pixels):
    patches = contrast * draw(2, 4, values, channels) + 5
    prediction = draw(2, 4, values, channels, seed=1)
    found = PatchLoss(as_pixels)(prediction, patches)
    assert found.shape == (2, 4) and found.dtype == torch.float64
    for index in np.ndindex(2, 4):
        total = 0.0
        for channel in range(channels):
            own = patches[index][:, channel].tolist()
            mean, deviation = statistics.mean(own), statistics.stdev(own) + 1e-6
            if not as_pixels:
                deviation = math.sqrt(statistics.variance(own) + 1e-6)
            for y, x in zip(prediction[index][:, channel].tolist(), own):
                total += (y - (x - mean) / deviation) ** 2
        assert float(found[index]) == pytest.approx(total / values / channels, rel=1e-7)


@pytest.mark.parametrize('as_pixels', [False, True])
def test_a_patch_without_contrast_is_0_and_predictions_return_to_its_color(as_pixels):
    loss = PatchLoss(as_pixels)
    patches = torch.full((2, 4, 3), 7.0)
    prediction = torch.zeros_like(patches)
    assert not loss(prediction, patches).any()
    assert torch.equal(loss.restore(prediction, patches), patches)
    patches = draw(2, 4, 3)
    target = normalize_patches(patches, as_pixels)[0]
    torch.testing.assert_close(loss.restore(target, patches), patches)
