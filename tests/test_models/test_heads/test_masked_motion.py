"""Prediction of the motion of masked joints: what counts, what is drawn, and other students."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.masked_motion import MaskedMotionHead
from tests.helpers.masks import joint_mask


def make_head() -> MaskedMotionHead:
    torch.manual_seed(0)
    return MaskedMotionHead(6, segment=3, coordinates=2, hidden_dim=16, depth=1, num_heads=2)


def make_inputs(axes: tuple[int, ...] = (2, 6, 4, 5)) -> dict[str, Tensor]:
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


def test_the_loss_against_a_slow_formula():
    head, inputs = make_head(), make_inputs()
    slow = slow_errors(head, inputs)
    errors = [error for place, error in slow.items() if place[:2] != (1, 1)]
    found = head.loss(**inputs)
    assert len(errors) == 5 * 16
    assert float(found['loss']) == pytest.approx(float(torch.stack(errors).mean()), rel=1e-5)
    assert float(found['mse_constant']) == pytest.approx(5 / 6, rel=1e-3)


def test_places_whose_motion_is_not_known_do_not_count():
    head, inputs = make_head(), make_inputs()
    inputs['valid'][:] = True
    slow = slow_errors(head, inputs)
    out = [*slow][::3]
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
    head, inputs = make_head(), make_inputs(axes)
    inputs['feature_map'].requires_grad_()
    loss = head.loss(**inputs)['loss']
    loss.backward()
    assert loss.isfinite() and inputs['feature_map'].grad.any()
    first, second = head.decoder(
        inputs['feature_map'].movedim(2, 1), torch.ones(3, 2, 4, 5, dtype=torch.bool), 2
    ).unbind(1)
    assert not torch.allclose(first, second), 'persons have codes of their own'


def test_drawn_joints_are_moved_from_their_first_place_in_the_segment():
    head, inputs = make_head(), make_inputs()
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
