"""Prediction of masked pixels: what counts, what is drawn, and that a clip is learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.masked_pixels import MaskedPixelHead
from tests.helpers.masks import tube_mask

PATCH = (2, 4, 4)


def make_head() -> MaskedPixelHead:
    torch.manual_seed(0)
    return MaskedPixelHead(6, PATCH, hidden_dim=16, depth=1, num_heads=2)


def make_inputs(batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    valid = torch.ones(batch, 4, dtype=torch.bool)
    valid[1, 3:] = False
    return dict(
        feature_map=torch.randn(batch, 6, 2, 2, 3, generator=generator),
        frames=torch.randn(batch, 3, 4, 8, 12, generator=generator),
        mask=tube_mask((2, 2, 3), 2, batch),
        valid=valid,
    )


def test_the_loss_against_a_slow_formula():
    """Of each masked patch, each color in units of its contrast; padded patches do not count."""
    head, inputs = make_head(), make_inputs()
    predicted = head.decoder(inputs['feature_map'], inputs['mask'][:, 0])
    errors = []
    for clip, t, y, x in np.ndindex(3, 2, 2, 3):
        if not inputs['mask'][clip, 0, t, y, x] or (clip == 1 and t == 1):
            continue
        block = inputs['frames'][clip, :, 2 * t : 2 * t + 2, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
        block = block.flatten(1).double()  # (3, 32)
        target = (block - block.mean(1, keepdim=True)) / (block.var(1, keepdim=True) + 1e-6).sqrt()
        own = predicted[clip, t, y, x].double().view(32, 3).T
        errors.append((own - target).square().mean())
    found = head.loss(**inputs)
    assert len(errors) == 3 * 8 - 4
    assert float(found['loss']) == pytest.approx(float(torch.stack(errors).mean()), rel=1e-5)
    assert float(found['mse']) == pytest.approx(float(found['loss']))
    assert float(found['mse_constant']) == pytest.approx(31 / 32, rel=1e-3)


def test_drawn_frames_are_real_where_visible_and_restore_a_perfect_prediction():
    head, inputs = make_head(), make_inputs()
    drawn = head.predict(**inputs)['frames']
    pixels = inputs['mask'].repeat_interleave(2, 2).repeat_interleave(4, 3).repeat_interleave(4, 4)
    assert torch.equal(drawn.masked_fill(pixels, 0), inputs['frames'].masked_fill(pixels, 0))
    assert (drawn != inputs['frames']).any()
    torch.testing.assert_close(
        drawn.mean((2, 3, 4)), inputs['frames'].mean((2, 3, 4)), atol=0.3, rtol=0
    )
    assert 'frames' not in head.terms(**inputs), 'not while training'
