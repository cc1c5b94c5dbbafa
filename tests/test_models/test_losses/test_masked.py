"""Errors at masked places against slow formulas in float64."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmact_ssl.models.losses.masked import (
    LatentLoss,
    PatchLoss,
    latent_error,
    normalize_patches,
    patch_error,
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


@settings(max_examples=25, deadline=None)
@given(values=st.integers(2, 6), channels=st.integers(1, 3))
def test_patches_are_compared_in_units_of_their_own_contrast(values, channels):
    patches, prediction = 3 * draw(2, 4, values, channels) + 5, draw(2, 4, values, channels, seed=1)
    found = PatchLoss()(prediction, patches)
    assert found.shape == (2, 4) and found.dtype == torch.float64
    for index in np.ndindex(2, 4):
        total = 0.0
        for channel in range(channels):
            own = patches[index][:, channel].tolist()
            mean, deviation = statistics.mean(own), math.sqrt(statistics.variance(own) + 1e-6)
            for y, x in zip(prediction[index][:, channel].tolist(), own):
                total += (y - (x - mean) / deviation) ** 2
        assert float(found[index]) == pytest.approx(total / values / channels, rel=1e-9)


def test_a_patch_without_contrast_is_0_and_predictions_return_to_its_color():
    patches = torch.full((2, 4, 3), 7.0)
    prediction = torch.zeros_like(patches)
    assert not patch_error(prediction, patches).any()
    assert torch.equal(PatchLoss().restore(prediction, patches), patches)
    patches = draw(2, 4, 3)
    target = normalize_patches(patches)[0]
    torch.testing.assert_close(PatchLoss().restore(target, patches), patches)


def test_latents_are_compared_after_a_layer_normalization():
    features, prediction = 2 * draw(2, 3, 6) + 1, draw(2, 3, 6, seed=1)
    found = LatentLoss()(prediction, features)
    for index in np.ndindex(2, 3):
        own = features[index].tolist()
        mean, deviation = statistics.mean(own), math.sqrt(statistics.pvariance(own) + 1e-5)
        pairs = zip(prediction[index].tolist(), own)
        total = sum(abs(y - (x - mean) / deviation) for y, x in pairs)
        assert float(found[index]) == pytest.approx(total / 6, rel=1e-9)


def test_gradients_are_right_and_features_get_none():
    features, patches = draw(2, 6).requires_grad_(), draw(2, 6, 2, seed=2)
    prediction = draw(2, 6, seed=1).requires_grad_()
    latent_error(prediction, features).sum().backward()
    assert features.grad is None and prediction.grad.any()
    assert torch.autograd.gradcheck(lambda y: latent_error(y, features), prediction)
    motion = draw(2, 6, 2, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: patch_error(y, patches), motion)
