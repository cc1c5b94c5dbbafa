"""Channels last in memory: the same values, in evaluation mode alone, for 3D networks alone."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmact_ssl.models.encoding import encode_view, read_channels_last
from mmact_ssl.registry import MODELS
from tests.shipped import CONFIGS


def small_r3d() -> nn.Module:
    cfg = Config.fromfile(CONFIGS / '_base_' / 'students' / 'r3d18-small.py')
    backbone = MODELS.build({**cfg.backbone, 'out_indices': (3,)})
    backbone.init_weights()
    return backbone


@pytest.mark.parametrize('frames', [4, 7])
def test_values_in_evaluation_are_those_of_the_plain_layout(frames):
    torch.manual_seed(0)
    plain = small_r3d()
    last = copy.deepcopy(plain)
    read_channels_last(last)
    clips = torch.randn(2, 3, frames, 48, 64)
    maps = []
    for backbone in (plain, last):
        backbone.eval()
        maps += encode_view(backbone, clips, None, frame_wise=False)
    torch.testing.assert_close(maps[1], maps[0], rtol=1e-4, atol=1e-5)


def test_batch_statistics_of_a_still_background_are_exact():
    """Torch adds up thousands of equal numbers over channels last with an error of 1e-3."""
    torch.manual_seed(0)
    backbone = small_r3d()
    read_channels_last(backbone)
    clips = torch.full((8, 3, 8, 64, 64), -1.7)
    clips[..., 16:40, 16:40] += torch.randn(8, 3, 8, 24, 24)
    exact = copy.deepcopy(backbone).double()
    found = {}
    for network in (backbone, exact):
        network.train()
        maps = encode_view(network, clips.to(next(network.parameters()).dtype), None, False)[-1]
        maps.mean((2, 3, 4)).square().sum().backward()
        found[network] = network.conv1.bn.running_mean, network.layer4[1].conv2.conv.weight.grad
    for values, expected in zip(found[backbone], found[exact]):
        assert (values - expected).norm() < 2e-5 * expected.norm()


def test_copies_read_channels_last_too():
    backbone = nn.Sequential(nn.Identity(), nn.Conv3d(3, 4, 1))
    read_channels_last(backbone)
    clips = []
    copied = copy.deepcopy(backbone).eval()
    copied[0].register_forward_pre_hook(lambda _, inputs: clips.extend(inputs))
    copied(torch.randn(2, 3, 4, 5, 6))
    assert clips[0].is_contiguous(memory_format=torch.channels_last_3d)


def test_skeletons_are_left_as_they_are():
    """Their clips have five axes too, but no network of theirs has 3D convolutions."""
    backbone = nn.Sequential(nn.Linear(3, 4))
    read_channels_last(backbone)
    out = backbone.eval()(torch.randn(2, 1, 8, 5, 3))
    assert out.is_contiguous() and not backbone._forward_pre_hooks


class FrameNetwork(nn.Module):
    """A 2D network with a 3D convolution inside, as non-local blocks have."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Conv3d(3, 4, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.inside(frames.unsqueeze(2)).squeeze(2)


def test_frames_of_a_2d_network_are_left_as_they_are():
    backbone = FrameNetwork()
    read_channels_last(backbone.eval())
    (maps,) = encode_view(backbone, torch.randn(2, 3, 5, 6, 7), None, frame_wise=True)
    assert maps.shape == (2, 4, 5, 6, 7)
