"""The video generator's sub-sampling, background and parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.networks.video_gan import (
    ConvolutionalGRUCell,
    VideoDiscriminator,
    VideoGenerator,
    blur,
    resize_frames,
)


def make_generator(resolutions: tuple[int, ...] = (16, 32, 64)):
    torch.manual_seed(0)
    return VideoGenerator(4, 16, resolutions)


def test_training_renders_some_of_the_frames_that_evaluation_renders():
    """At its positions each sub-sampled level equals the full one: no frame is out of its time."""
    generator, latent = make_generator(), torch.randn(2, 4, 8, 8)
    full = generator.eval()(latent, 8)
    assert [frames.shape for frames, _ in full] == [(2, 3, 8, s, s) for s in (16, 32, 64)]
    # Frames differ, or the test could not tell times apart.
    assert (full[0][0][:, :, 0] - full[0][0][:, :, 7]).abs().max() > 1e-3
    generator.train()
    offsets = set()
    for seed in range(6):
        torch.manual_seed(seed)
        levels = generator(latent, 8)
        first, second, third = (positions.tolist() for _, positions in levels)
        assert first == list(range(8))
        assert second in (first[0::2], first[1::2])
        assert third in (second[0::2], second[1::2])
        offsets.add((second[0], third[0] - second[0]))
        for (frames, positions), (whole, _) in zip(levels, full):
            torch.testing.assert_close(frames, whole[:, :, positions])
    assert len(offsets) > 2, 'offsets are drawn'
    assert all(len(positions) for _, positions in generator(latent, 1)), 'a frame at each'


def test_nothing_but_the_blurred_background_goes_around_the_latent():
    """With weights of 0 on the latent and no biases, that is all the frames there are."""
    generator = make_generator().eval()
    for name, parameter in generator.named_parameters():
        if name == 'enter.weight' or name.endswith('bias'):
            nn.init.zeros_(parameter)
    latent, background = torch.randn(2, 4, 8, 8), torch.randn(2, 3, 64, 64)
    for frames, _ in generator(latent, 3, background):
        expected = blur(background, frames.shape[-1])[:, :, None].expand_as(frames)
        torch.testing.assert_close(frames, expected)


def test_the_background_is_dropped_out_for_whole_clips_in_training():
    generator = make_generator(resolutions=(16,))
    latent, background = torch.randn(1, 4, 8, 8).expand(16, -1, -1, -1), torch.randn(1, 3, 16, 16)
    background = background.expand(16, -1, -1, -1)
    ((without, _),) = generator(latent, 2)
    ((shown, _),) = generator.eval()(latent, 2, background)
    assert not any(torch.allclose(a, b) for a, b in zip(shown, without))
    ((drawn, _),) = generator.train()(latent, 2, background)
    dropped = [torch.allclose(a, b, atol=1e-5) for a, b in zip(drawn, without)]
    kept = [torch.allclose(a, b, atol=1e-5) for a, b in zip(drawn, shown)]
    assert [a + b for a, b in zip(dropped, kept)] == [1] * 16, 'all frames of a clip alike'
    assert 0 < sum(kept) < 16


def test_blur_draws_the_means_smoothly():
    images = torch.randn(2, 3, 64, 64)
    small = images.view(2, 3, 4, 16, 4, 16).mean((3, 5))
    torch.testing.assert_close(blur(images, 4), small)
    large = blur(images, 16)
    assert large.shape == (2, 3, 16, 16)
    # A step from one pixel to the next is far less than from one mean to the next.
    assert large.diff(dim=3).abs().max() < 0.5 * small.diff(dim=3).abs().max()


@pytest.mark.parametrize('resolutions', [(8, 16), (16, 24), (12,), (32, 16)])
def test_resolutions_that_can_not_be_made_are_refused(resolutions):
    with pytest.raises(ValueError, match='powers of two'):
        make_generator(resolutions=resolutions)


def test_the_recurrent_cell_is_the_published_formula():
    torch.manual_seed(0)
    cell = ConvolutionalGRUCell(3)
    value, state = torch.randn(2, 2, 3, 4, 4)

    def convolve(layer: nn.Conv2d, memory: Tensor) -> Tensor:
        """One kernel for the input and one for the memory, summed."""
        own, recurrent = layer.weight.chunk(2, 1)
        total = F.conv2d(value, own, layer.bias, padding=1)
        return total + F.conv2d(memory, recurrent, padding=1)

    for found in cell(value, state, 3):
        gates = convolve(cell.gates, state)
        reset, update = (1 / (1 + (-part).exp()) for part in (gates[:, :3], gates[:, 3:]))
        candidate = convolve(cell.candidate, reset * state).tanh()
        state = candidate + update * (state - candidate)
        torch.testing.assert_close(found, state)


@pytest.mark.parametrize('side', [8, 16, 32])
def test_the_discriminator_scores_each_clip_on_its_own(side: int):
    torch.manual_seed(0)
    discriminator = VideoDiscriminator(side, 4)
    frames = torch.randn(3, 3, 2, side, side)
    scores = discriminator(frames)
    assert scores.shape == (3,)
    torch.testing.assert_close(discriminator(frames[1:2]), scores[1:2])


def test_resize_frames_averages_over_areas():
    frames = torch.randn(2, 3, 4, 12, 12)
    expected = frames.view(2, 3, 4, 4, 3, 4, 3).mean((4, 6))
    torch.testing.assert_close(resize_frames(frames, 4), expected)
