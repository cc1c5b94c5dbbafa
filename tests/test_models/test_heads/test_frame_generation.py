"""Frame generation: which frame is compared with which, who is trained by what, when R1 is due."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmact_ssl.models.heads.frame_generation import FrameGenerationHead
from mmact_ssl.models.losses.hinge_gan import AdversarialTerms
from mmact_ssl.models.networks.video_gan import blur, resize_frames

GAN = dict(type='HingeGANLoss', weight=0.01, r1_weight=1.0, r1_interval=4)
LEVELS = ['loss_16', 'loss_32']
STUDENT_LOSSES = [*LEVELS, *(f'{level}_generator' for level in LEVELS)]
ADVERSARY_LOSSES = [f'{level}_discriminator' for level in LEVELS]
METRICS = ('mse', 'mse_constant', '16_accuracy', '32_accuracy')
TRIVIAL = ('mse_repeat_last', 'mse_blurred')


def make_head(**settings) -> FrameGenerationHead:
    torch.manual_seed(0)
    defaults = dict(channels=16, discriminator_channels=4, resolutions=(16, 32), adversarial=GAN)
    return FrameGenerationHead(in_channels=4, **(defaults | settings))


def make_inputs(time: int = 6, later: bool = True) -> dict[str, Tensor]:
    """Of later frames, two of the first clip's and all of the second's are padded."""
    generator = torch.Generator().manual_seed(0)
    valid = torch.ones(2, time, dtype=torch.bool)
    valid[0, 4:] = False
    valid[1, 0 if later else 3 :] = False
    inputs = dict(
        static=torch.randn(2, 4, 2, 4, 4, generator=generator),
        dynamic=torch.randn(2, 4, 2, 4, 4, generator=generator),
        frames=torch.randn(2, 3, time, 32, 32, generator=generator),
        valid=valid,
        continued=torch.randn(2, 3, time, 32, 32, generator=generator),
    )
    if not later:
        del inputs['continued']
    return inputs


def run(head: FrameGenerationHead, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Losses with the same draw of sub-sampled frames each time."""
    torch.manual_seed(3)
    return head.loss(**inputs)


@pytest.mark.parametrize('later', [True, False])
def test_padding_changes_no_loss(later: bool):
    head, inputs = make_head(), make_inputs(later=later)
    spoiled = dict(inputs, frames=inputs['frames'].clone())
    spoiled['frames'].transpose(1, 2)[~inputs['valid']] = 1e3
    assert not torch.equal(spoiled['frames'], inputs['frames'])
    expected, got = run(head, inputs), run(head, spoiled)
    trivial = TRIVIAL if later else ()
    assert set(expected) == {*STUDENT_LOSSES, *ADVERSARY_LOSSES, *METRICS, *trivial}
    for name, value in expected.items():
        assert torch.equal(value, got[name]), name


@pytest.mark.parametrize('iteration', [0, 1])
def test_a_clip_without_frames_has_no_part_in_the_losses(iteration: int):
    """As one that ends before its future: real and generated frames of it are alike, blank."""
    head, inputs = make_head(), make_inputs(later=False)  # nothing is drawn for each clip
    head.iteration = iteration  # with R1 and without
    inputs['valid'][1] = False
    both = run(head, inputs)
    alone = run(head, {name: value[:1] for name, value in inputs.items()})
    for name, value in alone.items():
        torch.testing.assert_close(both[name], value, rtol=1e-5, atol=1e-6, msg=name)


class ClockGenerator(nn.Module):
    """Paints the index of each frame; above the lowest resolution every second frame from 1."""

    def __init__(self, first: float, step: float) -> None:
        super().__init__()
        self.first, self.step = first, step

    def forward(self, latent: Tensor, num_frames: int, background: Tensor | None = None):
        levels = []
        for side, positions in ((16, range(num_frames)), (32, range(1, num_frames, 2))):
            painted = torch.tensor([self.first + self.step * p for p in positions])
            frames = painted.view(1, 1, -1, 1, 1).expand(len(latent), 3, -1, side, side)
            levels.append((frames, torch.tensor(list(positions))))
        return levels


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_generated_frames_are_compared_with_the_frames_of_their_time(stride: int):
    """Videos whose gray value is the time: a generator that paints it has no loss."""
    head, inputs = make_head(adversarial=None, frame_stride=stride), make_inputs()
    time = torch.arange(6.0).view(1, 1, -1, 1, 1).expand(2, 3, -1, 32, 32)
    inputs.update(frames=10 + time, continued=time)
    head.generator = ClockGenerator(10, stride)
    losses = head.loss(**inputs)
    assert all(float(losses[name]) == 0 for name in (*LEVELS, 'mse'))

    head.generator.first = 10.5  # half a frame late
    losses = head.loss(**inputs)
    assert float(losses['loss_16'] + losses['loss_32']) == pytest.approx(0.5**2 / 2)  # smooth-L1
    assert float(losses['mse']) == pytest.approx(0.25)
    # The baseline repeats the clip's last frame, of gray value 5, at the positions that were drawn.
    drawn = [p for p in range(stride, 6, 2 * stride) if inputs['valid'][0, p]]
    expected = sum((10 + p - 5) ** 2 for p in drawn) / max(len(drawn), 1)
    for answer in TRIVIAL:
        assert float(losses[answer]) == pytest.approx(expected)
    # The other one shows the mean color of the frames that count.
    assert float(losses['mse_constant']) == pytest.approx(np.var(drawn or [0]), abs=1e-5)


def test_reconstruction_is_the_mean_over_resolutions_and_real_frames():
    """Against a loop over resolutions, clips and frames."""
    head, inputs = make_head().eval(), make_inputs()
    losses, predicted = head.loss(**inputs), head.predict(**inputs)
    drawn = []
    head.generator.register_forward_hook(lambda *call: drawn.append(call[2]))
    head.terms(**inputs)
    kept = inputs['valid'].nonzero().tolist()
    for frames, positions in drawn[0]:
        assert positions.tolist() == list(range(6)), 'evaluation makes every frame'
        target = resize_frames(inputs['frames'], frames.shape[-1])
        values = torch.stack([(frames[b, :, t] - target[b, :, t]).abs() for b, t in kept])
        smooth = torch.where(values < 1, values.square() / 2, values - 0.5).mean()
        torch.testing.assert_close(losses[f'loss_{frames.shape[-1]}'], smooth / 2)
    assert float(losses['mse']) == pytest.approx(float(values.square().mean()), rel=1e-5)
    assert torch.equal(predicted['frames'], frames)
    first = values[:4].square().mean()  # four frames of the first clip
    assert float(predicted['mse'][0]) == pytest.approx(float(first), rel=1e-5)
    last = inputs['continued'][:1, :, -1]
    for answer, still in zip(TRIVIAL, (last, blur(last, 32))):
        errors = [float((still - inputs['frames'][:1, :, t]).square().mean()) for t in range(4)]
        found = predicted[answer]
        assert float(found[0]) == pytest.approx(sum(errors) / 4, rel=1e-5)
        assert math.isnan(found[1]), 'a clip without a future has no distance'


def test_r1_comes_at_the_trainers_steps_to_the_discriminators_alone():
    inputs = make_inputs()
    plain = run(make_head(adversarial={**GAN, 'r1_weight': 0.0}), inputs)
    head = make_head(adversarial={**GAN, 'r1_weight': 1e4})
    for head.iteration in (1, 4):
        for name, value in run(head, inputs).items():
            penalized = name in ADVERSARY_LOSSES and head.iteration == 4
            assert (value > 1.001 * plain[name]) if penalized else value.isclose(plain[name]), name


def test_each_resolution_has_its_share_of_the_losses_of_both_sides(monkeypatch):
    """Two of them: a half of each."""
    head, inputs = make_head(), make_inputs(later=False)
    one = torch.ones(2)
    told = AdversarialTerms(3 * one, 5 * one, one, None)
    monkeypatch.setattr(head.adversarial, 'forward', lambda *samples, **settings: told)
    found = run(head, inputs)
    for side in (16, 32):
        assert found[f'loss_{side}_generator'].item() == pytest.approx(1.5)
        assert found[f'loss_{side}_discriminator'].item() == pytest.approx(2.5)
