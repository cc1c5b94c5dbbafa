"""Heads of masked places: pixels, the motion of joints, and the momentum copy's features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.masked_places import (
    LatentPredictionHead,
    MaskedMotionHead,
    MaskedPixelHead,
)
from tests.helpers.masks import joint_mask, tube_mask

DECODER = dict(hidden_dim=16, depth=1, num_heads=2)


PATCH = (2, 4, 4)


def pixel_head() -> MaskedPixelHead:
    torch.manual_seed(0)
    return MaskedPixelHead(6, PATCH, **DECODER)


def pixel_inputs(batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    valid = torch.ones(batch, 4, dtype=torch.bool)
    valid[1, 3:] = False
    return dict(
        feature_map=torch.randn(batch, 6, 2, 2, 3, generator=generator),
        frames=torch.randn(batch, 3, 4, 8, 12, generator=generator),
        mask=tube_mask((2, 2, 3), 2, batch),
        valid=valid,
    )


def test_the_loss_of_pixels_against_a_slow_formula():
    """Of each masked patch, each color in units of its contrast; padded patches do not count."""
    head, inputs = pixel_head(), pixel_inputs()
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
    head, inputs = pixel_head(), pixel_inputs()
    drawn = head.predict(**inputs)['frames']
    pixels = inputs['mask'].repeat_interleave(2, 2).repeat_interleave(4, 3).repeat_interleave(4, 4)
    assert torch.equal(drawn.masked_fill(pixels, 0), inputs['frames'].masked_fill(pixels, 0))
    assert (drawn != inputs['frames']).any()
    torch.testing.assert_close(
        drawn.mean((2, 3, 4)), inputs['frames'].mean((2, 3, 4)), atol=0.3, rtol=0
    )
    assert 'frames' not in head.terms(**inputs), 'not while training'


def motion_head() -> MaskedMotionHead:
    torch.manual_seed(0)
    return MaskedMotionHead(6, segment=3, coordinates=2, **DECODER)


def motion_inputs(axes: tuple[int, ...] = (2, 6, 4, 5)) -> dict[str, Tensor]:
    """Clips of two persons, of which the second clip has one, in 4 segments of 3 frames."""
    generator = torch.Generator().manual_seed(1)
    valid = torch.ones(3, 2, 12, dtype=torch.bool)
    valid[1, 1] = False
    return dict(
        feature_map=torch.randn(3, *axes, generator=generator),
        clip=torch.randn(3, 2, 12, 5, 4, generator=generator),
        mask=joint_mask((3, 2, 4, 5), 4),
        known=torch.ones(3, 2, 4, 5, 1, dtype=torch.bool),
        valid=valid,
    )


def slow_errors(head: MaskedMotionHead, inputs: dict[str, Tensor]) -> dict[tuple[int, ...], Tensor]:
    """{(clip, person, segment, joint): error} of the masked places."""
    predicted = head.decoder(inputs['feature_map'].movedim(2, 1), inputs['mask'][..., 0], 2)
    errors = {}
    for place in map(tuple, inputs['mask'][..., 0].nonzero().tolist()):
        clip, person, segment, joint = place
        points = inputs['clip'][clip, person, :, joint, :2].double()
        motion = [
            points[t + 1] - points[t] if t + 1 < 12 else torch.zeros(2).double()
            for t in range(3 * segment, 3 * segment + 3)
        ]
        motion = torch.cat(motion)
        target = (motion - motion.mean()) / (motion.var() + 1e-6).sqrt()
        errors[place] = (predicted[place].double() - target).square().mean()
    return errors


def test_the_loss_of_motion_against_a_slow_formula():
    head, inputs = motion_head(), motion_inputs()
    slow = slow_errors(head, inputs)
    errors = [error for place, error in slow.items() if place[:2] != (1, 1)]
    found = head.loss(**inputs)
    assert len(errors) == 5 * 16
    assert float(found['loss']) == pytest.approx(float(torch.stack(errors).mean()), rel=1e-5)
    assert float(found['mse_constant']) == pytest.approx(5 / 6, rel=1e-3)


def test_places_whose_motion_is_not_known_do_not_count():
    head, inputs = motion_head(), motion_inputs()
    inputs['valid'][:] = True
    slow = slow_errors(head, inputs)
    out = sorted(slow, key=lambda place: float(slow[place]))[::-3]
    for place in out:
        inputs['known'][place] = False
    kept = torch.stack([error for place, error in slow.items() if place not in out]).mean()
    found = head.loss(**inputs)
    for name in ('loss', 'mse'):
        assert float(found[name]) == pytest.approx(float(kept), rel=1e-5)
    assert (torch.stack([*slow.values()]).mean() - kept).abs() > 0.001


@pytest.mark.parametrize('axes', [(1, 6, 12, 1), (2, 6, 3, 5)])
def test_it_reads_the_maps_of_other_students(axes):
    """Of a GRU, which merges persons and joints, and of a graph network of fewer frames."""
    head, inputs = motion_head(), motion_inputs(axes)
    inputs['feature_map'].requires_grad_()
    loss = head.loss(**inputs)['loss']
    loss.backward()
    assert loss.isfinite() and inputs['feature_map'].grad.any()
    first, second = head.decoder(
        inputs['feature_map'].movedim(2, 1), torch.ones(3, 2, 4, 5, dtype=torch.bool), 2
    ).unbind(1)
    assert not torch.allclose(first, second), 'persons have codes of their own'


def test_drawn_joints_are_moved_from_their_first_place_in_the_segment():
    head, inputs = motion_head(), motion_inputs()
    drawn = head.predict(**inputs)['coordinates']
    clip, mask = inputs['clip'][..., :2], inputs['mask']
    assert drawn.shape == (3, 2, 12, 5, 2)
    frames = mask.repeat_interleave(3, 2)
    assert torch.equal(drawn.masked_fill(frames, 0), clip.masked_fill(frames, 0))
    assert torch.equal(drawn[:, :, ::3], clip[:, :, ::3])
    assert (drawn != clip).any()
    # What is predicted without error is the clip itself.
    real = torch.zeros_like(clip)
    real[:, :, :-1] = clip[:, :, 1:] - clip[:, :, :-1]
    places = head._split(real).flatten(4)
    target = (places - places.mean(-1, keepdim=True)) / (places.var(-1, keepdim=True) + 1e-6).sqrt()
    head.decoder.forward = lambda *unused: target
    torch.testing.assert_close(head.predict(**inputs)['coordinates'], clip, rtol=1e-4, atol=1e-4)


SHAPES = dict(video=(3, 6, 2, 2, 3), skeleton=(3, 2, 6, 4, 5))


def latent_head(kind: str) -> LatentPredictionHead:
    torch.manual_seed(0)
    return LatentPredictionHead(6, kind == 'skeleton', **DECODER)


def latent_inputs(kind: str) -> dict[str, Tensor]:
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
def test_the_loss_of_features_against_a_slow_formula(kind):
    head, inputs = latent_head(kind), latent_inputs(kind)
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
    head, inputs = latent_head('video'), latent_inputs('video')
    coarse = {n: torch.randn(3, 6, 1, 1, 3) for n in ('feature_map', 'target')}
    fine = {n: x.expand(-1, -1, 2, 2, -1) for n, x in coarse.items()}
    found, expected = head.loss(**{**inputs, **coarse}), head.loss(**{**inputs, **fine})
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
