"""Channels last in memory: the same values and gradients, and only for 3D networks."""

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
def test_values_and_gradients_are_those_of_the_plain_layout(frames):
    torch.manual_seed(0)
    plain = small_r3d()
    last = copy.deepcopy(plain)
    read_channels_last(last)
    clips = torch.randn(2, 3, frames, 48, 64)
    found = []
    for backbone in (plain, last):
        maps = encode_view(backbone, clips, None, frame_wise=False)[-1]
        (maps * torch.linspace(-1, 1, maps.numel()).view_as(maps)).mean().backward()
        found.append({name: p.grad for name, p in backbone.named_parameters()})
        found[-1]['maps'] = maps
    gradients, maps = found[0], found[0].pop('maps')
    torch.testing.assert_close(found[1]['maps'], maps, rtol=1e-2, atol=2e-3)
    largest = max(one.abs().max().item() for one in gradients.values())
    for name, expected in gradients.items():
        torch.testing.assert_close(found[1][name], expected, rtol=1e-2, atol=1e-2 * largest)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(last.get_buffer(name), buffer, rtol=1e-2, atol=1e-3)


def test_copies_read_channels_last_too():
    backbone = nn.Sequential(nn.Identity(), nn.Conv3d(3, 4, 1))
    read_channels_last(backbone)
    clips = []
    copied = copy.deepcopy(backbone)
    copied[0].register_forward_pre_hook(lambda _, inputs: clips.extend(inputs))
    copied(torch.randn(2, 3, 4, 5, 6))
    assert clips[0].is_contiguous(memory_format=torch.channels_last_3d)


def test_skeletons_are_left_as_they_are():
    """Their clips have five axes too, but no network of theirs has 3D convolutions."""
    backbone = nn.Sequential(nn.Linear(3, 4))
    read_channels_last(backbone)
    out = backbone(torch.randn(2, 1, 8, 5, 3))
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
    read_channels_last(backbone)
    (maps,) = encode_view(backbone, torch.randn(2, 3, 5, 6, 7), None, frame_wise=True)
    assert maps.shape == (2, 4, 5, 6, 7)
