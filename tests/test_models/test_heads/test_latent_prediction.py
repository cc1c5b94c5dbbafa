"""Prediction of the momentum copy's features: what counts, who gets a gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.latent_prediction import LatentPredictionHead
from tests.helpers.masks import joint_mask, tube_mask

SHAPES = dict(video=(3, 6, 2, 2, 3), skeleton=(3, 2, 6, 4, 5))


def make_head(kind: str) -> LatentPredictionHead:
    torch.manual_seed(0)
    return LatentPredictionHead(6, kind == 'skeleton', hidden_dim=16, depth=1, num_heads=2)


def make_inputs(kind: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    if kind == 'video':
        mask, valid = tube_mask((2, 2, 3), 2, 3), torch.ones(3, 4, dtype=torch.bool)
        valid[1, 2:] = False
    else:
        mask, valid = joint_mask((3, 2, 4, 5), 4), torch.ones(3, 2, 12, dtype=torch.bool)
        valid[1, 1] = False
    feature_map, target = torch.randn(2, *SHAPES[kind], generator=generator)
    return dict(feature_map=feature_map, target=3 * target + 1, mask=mask, valid=valid)


def places(values: Tensor, kind: str) -> Tensor:
    """Channels last, ``(B, *grid, C)``."""
    return values.movedim(1 if kind == 'video' else 2, -1)


@pytest.mark.parametrize('kind', SHAPES)
def test_the_loss_against_a_slow_formula(kind):
    head, inputs = make_head(kind), make_inputs(kind)
    mask = inputs['mask'][:, 0] if kind == 'video' else inputs['mask'][..., 0]
    axes = inputs['feature_map'] if kind == 'video' else inputs['feature_map'].movedim(2, 1)
    predicted = head.decoder(axes, mask, 1 if kind == 'video' else 2)
    target = places(inputs['target'], kind).double()
    errors, features = [], []
    for index in np.ndindex(mask.shape):
        padded = index[0] == 1 and (index[1] == 1)  # the last frames, or the second person
        if mask[index] and not padded:
            z = target[index]
            z = (z - z.mean()) / (z.var(correction=0) + 1e-5).sqrt()
            features.append(z)
            errors.append((predicted[index].double() - z).abs().mean())
    found = head.loss(**inputs)
    assert float(found['loss']) == pytest.approx(float(torch.stack(errors).mean()), rel=1e-5)
    features = torch.stack(features)
    constant = (features - features.median(0).values).abs().mean()
    assert float(found['error_constant']) == pytest.approx(float(constant), rel=1e-5)
    assert constant < (features - features.mean(0)).abs().mean()  # the best of all constants


def test_maps_of_other_sizes_are_targets_too():
    """A network of coarse maps, as R3D: each place is compared with the cell that it lies in."""
    head, inputs = make_head('video'), make_inputs('video')
    coarse = {n: torch.randn(3, 6, 1, 1, 3) for n in ('feature_map', 'target')}
    fine = {n: x.expand(-1, -1, 2, 2, -1) for n, x in coarse.items()}
    found, expected = head.loss(**{**inputs, **coarse}), head.loss(**{**inputs, **fine})
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
