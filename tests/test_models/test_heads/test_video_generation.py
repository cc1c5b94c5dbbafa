"""Video generation: which frame is compared with which, who is trained by what, when R1 is due."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from mmact_ssl.models.heads.video_generation import VideoGenerationHead
from mmact_ssl.models.networks.video_gan import GeneratedLevel, blur, resize_frames

GAN = dict(type='HingeGANLoss', weight=0.01, r1_weight=1.0, r1_interval=4)
LEVELS = [f'loss_{view}_{side}' for view in ('current', 'future') for side in (8, 16)]
STUDENT_LOSSES = [*LEVELS, *(f'{level}_generator' for level in LEVELS)]
ADVERSARY_LOSSES = [f'{level}_discriminator' for level in LEVELS]
METRICS = (
    *('current_mse', 'future_mse', 'future_mse_repeat_last', 'future_mse_blurred'),
    *('current_mse_constant', 'future_mse_constant'),
    *(f'{view}_{side}_accuracy' for view in ('current', 'future') for side in (8, 16)),
)


def make_head(**settings) -> VideoGenerationHead:
    torch.manual_seed(0)
    defaults = dict(channels=16, discriminator_channels=4, resolutions=(8, 16), adversarial=GAN)
    return VideoGenerationHead(in_channels=4, **(defaults | settings))


def make_inputs(time: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    current_valid = torch.ones(2, time, dtype=torch.bool)
    current_valid[1, 3:] = False
    future_valid = torch.ones(2, time, dtype=torch.bool)
    future_valid[0, 4:] = False
    future_valid[1] = False
    return dict(
        static=torch.randn(2, 4, 2, 4, 4, generator=generator),
        dynamic=torch.randn(2, 4, 2, 4, 4, generator=generator),
        current=torch.randn(2, 3, time, 16, 16, generator=generator),
        current_valid=current_valid,
        future=torch.randn(2, 3, time, 16, 16, generator=generator),
        future_valid=future_valid,
    )


def run(head: VideoGenerationHead, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Losses with the same draw of sub-sampled frames each time."""
    torch.manual_seed(3)
    return head.loss(**inputs)


def test_padding_changes_no_loss():
    """Padding repeats the last real frame, which the future continues: that slot stays."""
    head, inputs = make_head(), make_inputs()
    spoiled = dict(inputs, current=inputs['current'].clone(), future=inputs['future'].clone())
    for view, last in (('current', 1), ('future', 0)):
        padded = ~inputs[f'{view}_valid']
        if last:
            padded[:, -1] = False
        spoiled[view].transpose(1, 2)[padded] = 1e3
        assert not torch.equal(spoiled[view], inputs[view])
    expected = run(head, inputs)
    got = run(head, spoiled)
    assert set(expected) == {*STUDENT_LOSSES, *ADVERSARY_LOSSES, *METRICS}
    for name, value in expected.items():
        assert torch.equal(value, got[name]), name


def test_each_side_is_trained_by_its_own_losses():
    head, inputs = make_head(), make_inputs()
    maps = {name: inputs[name].requires_grad_() for name in ('static', 'dynamic')}
    for name in STUDENT_LOSSES + ADVERSARY_LOSSES:
        head.zero_grad()
        for value in maps.values():
            value.grad = None
        run(head, inputs)[name].backward()
        _, view, side = name.split('_')[:3]
        student = name in STUDENT_LOSSES
        own = f'generators.{view}.' if student else f'discriminators.{view}_{side}.'
        trained = {key for key, p in head.named_parameters() if p.grad is not None}
        everything = {key for key, _ in head.named_parameters() if key.startswith(own)}
        assert trained and trained <= everything, name
        assert trained == everything or (student and int(side) == 8), name
        for key, value in maps.items():
            assert (value.grad is not None and value.grad.abs().sum() > 0) == student, (name, key)


class ClockGenerator(nn.Module):
    """Paints the index of each frame; above the lowest resolution every second frame from 1."""

    def __init__(self, first: float, step: float) -> None:
        super().__init__()
        self.first, self.step = first, step

    def forward(self, latent: Tensor, num_frames: int, background: Tensor | None = None):
        levels = []
        for side, positions in ((8, range(num_frames)), (16, range(1, num_frames, 2))):
            painted = torch.tensor([self.first + self.step * p for p in positions])
            frames = painted.view(1, 1, -1, 1, 1).expand(len(latent), 3, -1, side, side)
            levels.append(GeneratedLevel(frames, torch.tensor(list(positions))))
        return levels


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_generated_frames_are_compared_with_the_frames_of_their_time(stride: int):
    """Videos whose gray value is the time: a generator that paints it has no loss."""
    head, inputs = make_head(adversarial=None, frame_stride=stride), make_inputs()
    time = torch.arange(6.0).view(1, 1, -1, 1, 1).expand(2, 3, -1, 16, 16)
    inputs.update(current=time, future=10 + time)
    head.generators = nn.ModuleDict(
        dict(current=ClockGenerator(0, stride), future=ClockGenerator(10, stride))
    )
    losses = head.loss(**inputs)
    assert all(float(losses[level]) == 0 for level in LEVELS)
    assert float(losses['current_mse']) == float(losses['future_mse']) == 0

    head.generators['future'].first = 10.5  # half a frame late
    losses = head.loss(**inputs)
    future = losses['loss_future_8'] + losses['loss_future_16']
    assert float(future) == pytest.approx(0.5**2 / 2)  # smooth-L1
    assert float(losses['future_mse']) == pytest.approx(0.25)
    assert float(losses['current_mse']) == 0
    # The baseline repeats the clip's last frame, of gray value 5, at the positions that were drawn.
    drawn = [p for p in range(stride, 6, 2 * stride) if inputs['future_valid'][0, p]]
    expected = sum((10 + p - 5) ** 2 for p in drawn) / max(len(drawn), 1)
    for answer in ('repeat_last', 'blurred'):
        assert float(losses[f'future_mse_{answer}']) == pytest.approx(expected)


def test_reconstruction_is_the_mean_over_resolutions_and_real_frames():
    """Against a loop over resolutions, clips and frames."""
    head, inputs = make_head().eval(), make_inputs()
    losses, predicted = head.loss(**inputs), head.predict(**inputs)
    drawn = {}
    for view, generator in head.generators.items():
        generator.register_forward_hook(lambda *call, view=view: drawn.update({view: call[2]}))
    head.terms(**inputs)
    for view in ('current', 'future'):
        for frames, positions in drawn[view]:
            assert positions.tolist() == list(range(6)), 'evaluation makes every frame'
            target = resize_frames(inputs[view], frames.shape[-1])
            kept = inputs[f'{view}_valid'].nonzero().tolist()
            values = torch.stack([(frames[b, :, t] - target[b, :, t]).abs() for b, t in kept])
            smooth = torch.where(values < 1, values.square() / 2, values - 0.5).mean()
            torch.testing.assert_close(losses[f'loss_{view}_{frames.shape[-1]}'], smooth / 2)
    assert float(losses['future_mse']) == pytest.approx(float(values.square().mean()), rel=1e-5)
    assert torch.equal(predicted['future'], frames)
    first = values[:4].square().mean()  # four frames of the first clip
    assert float(predicted['future_mse'][0]) == pytest.approx(float(first), rel=1e-5)
    last = inputs['current'][:1, :, -1]
    for answer, still in (('repeat_last', last), ('blurred', blur(last, 16))):
        errors = [float((still - inputs['future'][:1, :, t]).square().mean()) for t in range(4)]
        found = predicted[f'future_mse_{answer}']
        assert float(found[0]) == pytest.approx(sum(errors) / 4, rel=1e-5)
        assert math.isnan(found[1]), 'a clip without a future has no distance'


def test_r1_comes_every_interval_of_the_trainers_steps_to_the_discriminators_alone():
    inputs = make_inputs()
    plain = run(make_head(adversarial={**GAN, 'r1_weight': 0.0}), inputs)
    head = make_head()
    for iteration in (0, 1, 3, 4, 7, 8):
        head.iteration = iteration
        for name, value in run(head, inputs).items():
            if name in ADVERSARY_LOSSES and iteration % 4 == 0:
                assert value > plain[name], (iteration, name)
            else:
                torch.testing.assert_close(value, plain[name])


def test_after_a_short_overfit_frames_tell_ones_own_latent_from_anothers():
    """Clips whose maps say where a bright square stands; the background does not say it."""
    torch.manual_seed(0)
    count, side = 4, 16
    where = torch.eye(16)[[0, 5, 10, 15]].view(count, 1, 1, 4, 4)
    square = where.repeat_interleave(4, 3).repeat_interleave(4, 4)  # (4, 1, 1, 16, 16)
    frames = square.expand(-1, 3, 4, -1, -1).clone()
    inputs = dict(
        static=where.expand(-1, 4, 1, -1, -1) + 0.1 * torch.randn(count, 4, 1, 4, 4),
        dynamic=torch.randn(count, 4, 1, 4, 4),
        current=frames,
        current_valid=torch.ones(count, 4, dtype=torch.bool),
        future=frames.flip(3),  # upside down: the last frame does not tell it
        future_valid=torch.ones(count, 4, dtype=torch.bool),
    )
    head = make_head(resolutions=(8, side), adversarial=None)
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        sum(value for name, value in head.loss(**inputs).items() if 'loss' in name).backward()
        optimizer.step()
    other = {name: inputs[name].roll(1, 0) for name in ('static', 'dynamic')}
    own, swapped = (head.eval().predict(**given) for given in (inputs, {**inputs, **other}))
    for name in ('current_mse', 'future_mse'):
        assert float(swapped[name].mean()) > 3 * float(own[name].mean()), name
    for name in ('static', 'dynamic'):
        given = dict(inputs, **{name: other[name]})
        assert not torch.allclose(head.predict(**given)['future'], own['future'], atol=1e-2), name
