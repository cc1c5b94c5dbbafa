"""Pose prediction: the baseline it starts from, who is trained by what, and what never counts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_ssl.models.heads.pose_prediction import PosePredictionHead

JOINTS, CHANNELS = 6, 8
GAN = dict(type='HingeGANLoss', weight=0.5)
GENERATOR_LOSSES = ('loss_joints', 'loss_generator')


def make_head(**settings) -> PosePredictionHead:
    torch.manual_seed(0)
    defaults = dict(
        noise_dim=0, observed_frames=4, from_video_weight=0, hidden_dim=16, adversarial=GAN
    )
    return PosePredictionHead(in_channels=CHANNELS, num_joints=JOINTS, **(defaults | settings))


def stir(head: PosePredictionHead) -> PosePredictionHead:
    """Leave the starting point, where the prediction does not depend on the feature."""
    torch.nn.init.normal_(head.generator.displacement.weight, std=0.3)
    return head


def make_inputs(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def pose(time: int) -> Tensor:
        values = torch.rand(3, time, JOINTS, 3, generator=generator)
        values[..., 2][values[..., 2] < 0.3] = 0
        return values

    observed_valid = torch.ones(3, 4, dtype=torch.bool)
    observed_valid[2, 2:] = False
    future_valid = torch.ones(3, 5, dtype=torch.bool)
    future_valid[1, 3:] = False
    future_valid[2] = False
    return dict(
        dynamic=torch.randn(3, CHANNELS, 2, 2, 2, generator=generator),
        observed=pose(4),
        observed_valid=observed_valid,
        future=pose(5),
        future_valid=future_valid,
    )


def test_starts_as_repeating_the_last_pose():
    head, inputs = make_head(), make_inputs()
    head.init_weights()  # as the runner does
    predicted = head.predict(**inputs)
    last = inputs['observed'][:, -1]
    seen = (last[..., 2] > 0) & inputs['observed_valid'][:, -1:]
    for step in range(5):
        torch.testing.assert_close(predicted['poses'][:, step][seen], last[..., :2][seen])
    torch.testing.assert_close(predicted['error'][:2], predicted['error_repeat_last'][:2])
    assert predicted['error'][:2].isfinite().all()
    assert predicted['error'][2].isnan(), 'no future: not defined'
    losses = head.loss(**inputs)
    torch.testing.assert_close(losses['error'], losses['error_repeat_last'])


def test_errors_are_distances_in_fractions_of_the_view():
    """A generator that moves every joint by 0.02 and -0.04 of the view a step, against a loop."""
    head, inputs = make_head(), make_inputs()
    with torch.no_grad():
        head.generator.displacement.bias.copy_(torch.tensor([0.04, -0.08] * JOINTS))
    predicted = head.predict(**inputs)
    for n in range(2):
        last = inputs['observed'][n, -1]
        total = total_last = weights = 0.0
        for t in range(5):
            for v in range(JOINTS):
                x, y, score = inputs['future'][n, t, v].tolist()
                if not inputs['future_valid'][n, t] or last[v, 2] == 0:
                    continue
                at = float(last[v, 0]), float(last[v, 1])
                moved = at[0] + 0.02 * (t + 1), at[1] - 0.04 * (t + 1)
                total += score * math.dist(moved, (x, y))
                total_last += score * math.dist(at, (x, y))
                weights += score
        assert float(predicted['error'][n]) == pytest.approx(total / weights, rel=1e-4)
        assert float(predicted['error_repeat_last'][n]) == pytest.approx(
            total_last / weights, rel=1e-4
        )
    losses = head.loss(**inputs)
    torch.testing.assert_close(losses['error'], predicted['error'].nanmean())
    assert losses['error'] != losses['error_repeat_last']


def gradients(head: PosePredictionHead, inputs: dict[str, Tensor], names: tuple[str, ...]):
    """Gradients of a sum of losses for the student, the generator and the discriminator."""
    head.zero_grad()
    dynamic = inputs['dynamic'].clone().requires_grad_()
    losses = head.loss(**{**inputs, 'dynamic': dynamic})
    sum(losses[name] for name in names).backward()
    return (
        dynamic.grad,
        {name: p.grad for name, p in head.generator.named_parameters()},
        {name: p.grad for name, p in head.discriminator.named_parameters()},
    )


def test_each_side_is_trained_by_its_own_loss():
    head, inputs = stir(make_head()), make_inputs()
    for name in GENERATOR_LOSSES:
        student, generator, discriminator = gradients(head, inputs, (name,))
        assert student.abs().sum() > 0
        assert all(gradient.abs().sum() > 0 for gradient in generator.values()), name
        assert all(gradient is None for gradient in discriminator.values()), name
    student, generator, discriminator = gradients(head, inputs, ('loss_discriminator',))
    assert student is None
    assert all(gradient is None for gradient in generator.values())
    # Inside the margins of the hinge, what real and fake poses do to the last bias cancels.
    discriminator.pop('score.bias')
    assert all(gradient.abs().sum() > 0 for gradient in discriminator.values())


def test_the_student_can_not_please_the_discriminator_but_through_poses():
    """At the start poses ignore the feature, so f_d as a condition would be the only way."""
    head, inputs = make_head(), make_inputs()
    student, _, _ = gradients(head, inputs, ('loss_generator',))
    assert not student.any()
    assert head.discriminator.projection.weight.abs().sum() > 0


@pytest.mark.parametrize('garbage', [math.nan, math.inf, -50.0])
def test_unseen_joints_and_padded_frames_never_count(garbage: float):
    head, inputs = stir(make_head()), make_inputs()
    spoiled = dict(inputs)
    for view in ('observed', 'future'):
        pose = inputs[view].clone()
        pose[..., :2][pose[..., 2] == 0] = garbage
        pose[~inputs[f'{view}_valid']] = garbage
        assert not torch.equal(pose, inputs[view])
        spoiled[view] = pose
    names = (*GENERATOR_LOSSES, 'loss_discriminator')
    losses, again = head.loss(**inputs), head.loss(**spoiled)
    assert losses.keys() == again.keys()
    for name, loss in losses.items():
        assert torch.equal(loss, again[name]), name
    expected, got = gradients(head, inputs, names), gradients(head, spoiled, names)
    assert torch.equal(expected[0], got[0])
    for one, other in zip(expected[1:], got[1:]):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_errors_do_not_change_in_a_mirror():
    head, inputs = make_head(), make_inputs()
    mirrored = dict(inputs)
    for view in ('observed', 'future'):
        mirrored[view] = inputs[view].clone()
        mirrored[view][..., 0] = 1 - mirrored[view][..., 0]
    straight, mirror = head.predict(**inputs), head.predict(**mirrored)
    torch.testing.assert_close(mirror['error'], straight['error'], equal_nan=True)
    # Where the last pose is not seen, the prediction starts in the middle.
    torch.testing.assert_close(mirror['poses'][..., 0], 1 - straight['poses'][..., 0])
    torch.testing.assert_close(mirror['poses'][..., 1], straight['poses'][..., 1])
    torch.testing.assert_close(
        head.loss(**mirrored)['loss_joints'], head.loss(**inputs)['loss_joints']
    )


def test_only_the_last_observeds_condition_the_generator():
    """Earlier ones are for the discriminator."""
    inputs = make_inputs()
    changed = dict(inputs, observed=inputs['observed'][:, [1, 0, 2, 3]])
    for frames, same in ((2, True), (3, False)):
        head = stir(make_head(observed_frames=frames))
        one, other = head.predict(**inputs)['poses'], head.predict(**changed)['poses']
        assert torch.allclose(one, other, atol=1e-5) is same, frames


def test_the_prediction_from_video_alone_is_not_shown_the_observeds():
    """A linear map reads the observed poses, and the generator goes on from these."""
    head, inputs = stir(make_head(from_video_weight=2.0)), make_inputs()
    conditions = []
    head.generator.register_forward_pre_hook(lambda module, inputs: conditions.append(inputs[1]))
    head.loss(**inputs)
    shown, read = conditions[0], conditions[1]
    feature = inputs['dynamic'].flatten(2).mean(2)
    expected = feature @ head.reader.weight.T + head.reader.bias
    torch.testing.assert_close(read[..., :2], expected.view_as(read[..., :2]))
    assert bool((read[..., 2] == 1).all()) and not torch.allclose(shown, read)

    dynamic = inputs['dynamic'].clone().requires_grad_()
    loss = head.loss(**dict(inputs, dynamic=dynamic))['loss_from_video']
    loss.backward()
    assert dynamic.grad.any()
    halved = stir(make_head(from_video_weight=1.0))
    halved.load_state_dict(head.state_dict())
    torch.testing.assert_close(halved.loss(**inputs)['loss_from_video'] * 2, loss)
    assert 'loss_from_video' not in make_head(from_video_weight=0).loss(**inputs)
