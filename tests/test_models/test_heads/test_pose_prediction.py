"""Pose prediction: what it draws from, who is trained by what, and what never counts."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.models.heads.pose_prediction import DRAWS, PosePredictionHead

JOINTS, CHANNELS = 6, 8
GAN = dict(type='HingeGANLoss', weight=0.5)
GENERATOR_LOSSES = ('loss_joints', 'loss_generator')


def make_head(**settings) -> PosePredictionHead:
    torch.manual_seed(0)
    defaults = dict(
        noise_dim=0, observed_frames=4, hidden_dim=16, hint_dropout=1.0, adversarial=GAN
    )
    return PosePredictionHead(in_channels=CHANNELS, num_joints=JOINTS, **(defaults | settings))


def stir(head: PosePredictionHead) -> PosePredictionHead:
    """Leave the starting point, where nothing moves."""
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


def read_last(head: PosePredictionHead, inputs: dict[str, Tensor]) -> Tensor:
    """The last observed pose as the linear map reads it, in fractions of the view."""
    read = head.reader(inputs['dynamic'].flatten(2).mean(2)).view(3, 4, JOINTS, 2)
    return (read[:, -1].detach() + 1) / 2


def test_observed_poses_change_no_prediction_in_evaluation():
    """No way leads around f_d, whatever part of the clips training shows the last pose of."""
    head, inputs = stir(make_head(hint_dropout=0.3)).eval(), make_inputs()
    shifted = dict(inputs, observed=inputs['observed'] * 0.5)
    one, other = head.predict(**inputs), head.predict(**shifted)
    assert torch.equal(one['poses'], other['poses'])
    assert not torch.equal(one['error_repeat_last'], other['error_repeat_last'])


def test_a_hint_is_the_last_pose_where_it_is_seen_and_is_dropped_for_whole_clips():
    inputs = make_inputs()
    inputs['observed_valid'][:] = True
    for dropout, dropped in ((1.0, {True}), (0.0, {False}), (0.5, {True, False})):
        head, found = make_head(hint_dropout=dropout), set()
        for seed in range(6):
            torch.manual_seed(seed)
            poses = head.terms(**inputs)['poses'].detach()  # the start, as nothing moves yet
            read, last = read_last(head, inputs), inputs['observed'][:, -1]
            for n in range(3):
                seen = last[n, :, 2] > 0
                hinted = torch.where(seen[:, None], last[n, :, :2], read[n])
                is_read = torch.allclose(poses[n, 0], read[n], atol=1e-6)
                assert is_read or torch.allclose(poses[n, 0], hinted, atol=1e-6)
                found.add(is_read)
        assert found == dropped


def errors_by_hand(inputs: dict[str, Tensor], poses: Tensor, n: int) -> float:
    """Mean distance of clip ``n``'s poses ``(T, V, 2)`` from its future, by loops."""
    total = weights = 0.0
    last = inputs['observed'][n, -1]
    for t in range(5):
        for v in range(JOINTS):
            x, y, score = inputs['future'][n, t, v].tolist()
            if inputs['future_valid'][n, t] and last[v, 2] > 0:
                total += score * math.dist(poses[t, v].tolist(), (x, y))
                weights += score
    return total / weights


def test_other_noise_draws_another_future():
    """Errors are right however little is seen: of the first clip one joint in one frame."""
    head, inputs = stir(make_head(noise_dim=4)).eval(), make_inputs()
    inputs['future'][0, ..., 2] = 0
    inputs['future'][0, 2, inputs['observed'][0, -1, :, 2].argmax(), 2] = 0.3
    draws = []
    head.generator.register_forward_hook(lambda *call: draws.append(call[2]))
    torch.manual_seed(1)
    predicted = head.predict(**inputs)
    (drawn,) = draws
    assert drawn.shape == (DRAWS, 3, 5, JOINTS, 2)
    assert drawn.std(0).amax((1, 2, 3)).min() > 0.01, 'for every clip'
    drawn = (drawn + 1) / 2
    for n in range(2):
        each = [errors_by_hand(inputs, draw[n], n) for draw in drawn]
        last = inputs['observed'][n, -1:, :, :2].expand(5, -1, -1)
        expected = dict(
            error=sum(each) / DRAWS,
            error_best=min(each),
            error_of_mean=errors_by_hand(inputs, drawn[:, n].mean(0), n),
            error_repeat_last=errors_by_hand(inputs, last, n),
        )
        found = {name: float(predicted[name][n]) for name in expected}
        assert found == pytest.approx(expected, rel=1e-4)


def test_the_best_draw_alone_is_taught():
    """The loss of each clip, in float64, by loops over draws, frames and joints."""
    head, inputs = stir(make_head(noise_dim=4, samples=3)), make_inputs()
    head.double()
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
    drawn = []
    head.generator.register_forward_hook(lambda *call: drawn.append(call[2]))
    loss = head.loss(**inputs)['loss_joints']
    (draws,) = drawn
    draws.retain_grad()
    total = weights = 0.0
    best = []
    for n in range(3):
        seen = inputs['future'][n, ..., 2] * inputs['future_valid'][n][:, None]
        target = inputs['future'][n, ..., :2] * 2 - 1
        sums = []
        for draw in draws[:, n].tolist():
            pairs = F.smooth_l1_loss(torch.tensor(draw), target, reduction='none', beta=0.05)
            sums.append(float((pairs.mean(-1) * seen).sum()))
        total, weights = total + min(sums), weights + float(seen.sum())
        best.append(sums.index(min(sums)))
    assert float(loss.detach()) == pytest.approx(total / weights, rel=1e-6)
    loss.backward()
    for n in range(2):
        taught = draws.grad[:, n].flatten(1).any(1)
        assert taught.nonzero().flatten().tolist() == [best[n]]


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


def test_the_student_can_not_please_the_discriminator_but_through_poses():
    """Shown every joint of the last pose, poses ignore the feature at the start."""
    head, inputs = make_head(hint_dropout=0.0), make_inputs()
    inputs['observed'][..., 2] = 1
    inputs['observed_valid'][:] = True
    student, _, _ = gradients(head, inputs, ('loss_generator',))
    assert not student.any()
    _, projection = head.discriminator.projection
    assert projection.weight.abs().sum() > 0


def test_real_poses_under_the_feature_of_another_clip_are_fakes():
    """The discriminator's loss in float64, a clip at a time."""
    head, inputs = stir(make_head()).double(), make_inputs()
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}
    feature = inputs['dynamic'].mean((2, 3, 4))
    with torch.no_grad():
        found = head.terms(**inputs)
    drawn = found['poses'] * 2 - 1
    head.requires_grad_(False)
    for n in range(2):  # the third has no future
        weight = (inputs['future'][n, ..., 2] * inputs['future_valid'][n][:, None])[None]
        target = (inputs['future'][n, ..., :2] * 2 - 1)[None]
        # Three clips: the next one's is the other feature.
        real, wrong = (head.discriminator(target, weight, feature[[i]]) for i in (n, (n + 1) % 3))
        fake = head.discriminator(drawn[[n]], weight, feature[[n]])
        expected = max(0, 1 - real) + max(0, 1 + fake) / 2 + max(0, 1 + wrong) / 2
        assert float(found['loss_discriminator'].value[n]) == pytest.approx(float(expected))
        assert float(found['loss_generator'].value[n]) == pytest.approx(-0.5 * float(fake))
        accuracy = ((real > 0) + 0.5 * (fake < 0) + 0.5 * (wrong < 0)) / 2
        assert float(found['discriminator_accuracy'].value[n]) == float(accuracy)
        assert float(found['discriminator_matched'].value[n]) == float(real > wrong)
    assert found['loss_discriminator'].weight.tolist() == [1, 1, 0]


@pytest.mark.parametrize('garbage', [math.nan, math.inf, -50.0])
def test_unseen_joints_and_padded_frames_never_count(garbage: float):
    head, inputs = stir(make_head(hint_dropout=0.0)), make_inputs()
    spoiled = dict(inputs)
    for view in ('observed', 'future'):
        pose = inputs[view].clone()
        pose[..., :2][pose[..., 2] == 0] = garbage
        pose[~inputs[f'{view}_valid']] = garbage
        assert not torch.equal(pose, inputs[view])
        spoiled[view] = pose
    names = (*GENERATOR_LOSSES, 'loss_read', 'loss_discriminator')
    losses, again = head.loss(**inputs), head.loss(**spoiled)
    assert losses.keys() == again.keys()
    for name, loss in losses.items():
        assert torch.equal(loss, again[name]) or (loss.isnan() and again[name].isnan()), name
    expected, got = gradients(head, inputs, names), gradients(head, spoiled, names)
    assert torch.equal(expected[0], got[0])
    for one, other in zip(expected[1:], got[1:]):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_linear_map_reads_the_last_observed_poses():
    head, inputs = make_head(observed_frames=3), make_inputs()
    feature = inputs['dynamic'].flatten(2).mean(2)
    read = (feature @ head.reader.weight.T + head.reader.bias).view(3, 3, JOINTS, 2)
    total = weights = 0.0
    for n, t, v in torch.cartesian_prod(*map(torch.arange, (3, 3, JOINTS))).tolist():
        *place, score = inputs['observed'][n, t + 1, v].tolist()
        if not inputs['observed_valid'][n, t + 1]:
            continue
        place = torch.tensor(place) * 2 - 1
        total += score * float(F.smooth_l1_loss(read[n, t, v], place, beta=0.05))
        weights += score
    loss = head.loss(**inputs)['loss_read']
    assert float(loss) == pytest.approx(total / weights, rel=1e-5)
