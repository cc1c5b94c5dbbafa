"""Generator and discriminator of short videos, after TGANv2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LATENT_SIZE = 4


class GeneratedLevel(NamedTuple):
    """Frames of one resolution: ``frames`` ``[B, 3, T_l, R, R]``, their positions ``[T_l]``."""

    frames: Tensor
    positions: Tensor


class ConvolutionalGRUCell(nn.Module):
    """A GRU cell whose products are 3x3 convolutions (Ballas et al., ICLR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, value: Tensor, state: Tensor) -> Tensor:
        """``[B, C, H, W]`` and the previous state of the same shape to the next state."""
        reset, update = self.gates(torch.cat([value, state], 1)).sigmoid().chunk(2, 1)
        candidate = self.candidate(torch.cat([value, reset * state], 1)).tanh()
        return update * state + (1 - update) * candidate


class UpBlock(nn.Module):
    """Residual block that doubles height and width."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, value: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, C', 2H, 2W]``."""
        height, width = value.shape[2:]
        # Nearest neighbors left 4x4 blocks in the frames (docs/studies/csvr.md).
        shortcut, large = (
            F.interpolate(part, size=(2 * height, 2 * width), mode='bilinear', align_corners=False)
            for part in (self.shortcut(value), F.relu(value))
        )
        return shortcut + self.second(F.relu(self.first(large)))


class VideoGenerator(nn.Module):
    """A 4x4 latent map unrolled over time and up-sampled to frames at several resolutions.

    In training each resolution above the lowest keeps every second frame of the one below, from a
    random offset (TGANv2, Saito et al., IJCV 2020, section 3.2), which saves most of the cost of
    the high resolutions. Evaluation makes all frames at all resolutions.

    Args:
        channels: Channels at 4x4; halved at each doubling of the resolution, not below 16.
        resolutions: Sides of the rendered frames, rising, each a power of two times 4.
        background: Add the frames to a strongly blurred still image where one is shown. There is no
            other way around the latent.
    """

    def __init__(
        self, latent_channels: int, channels: int, resolutions: Sequence[int], background: bool
    ) -> None:
        super().__init__()
        self.resolutions = tuple(resolutions)
        self.enter = nn.Conv2d(latent_channels, channels, 3, padding=1)
        if background:
            self.not_shown = nn.Parameter(torch.zeros(channels, 1, 1))
        self.cell = ConvolutionalGRUCell(channels)
        self.blocks = nn.ModuleDict()
        self.render = nn.ModuleDict()
        size = LATENT_SIZE
        while size < self.resolutions[-1]:
            size, narrower = size * 2, max(channels // 2, 16)
            self.blocks[str(size)] = UpBlock(channels, narrower)
            channels = narrower
            if size in self.resolutions:
                self.render[str(size)] = nn.Conv2d(channels, 3, 3, padding=1)
        if set(self.render) != {str(side) for side in self.resolutions}:
            raise ValueError(f'resolutions={self.resolutions}: use powers of two from 8 on, rising')

    def forward(
        self,
        latent: Tensor,
        num_frames: int,
        background: Optional[Tensor] = None,
        shown: Optional[Tensor] = None,
    ) -> list[GeneratedLevel]:
        """Draw frames.

        Args:
            latent: ``[B, C, 4, 4]``.
            num_frames: Frames to unroll.
            background: ``[B, 3, H, W]``, if the generator has one.
            shown: Which clips have it shown, bool ``[B]``.
        """
        value = self.enter(latent)
        if background is not None:
            seen = shown[:, None, None, None].to(value.dtype)
            value = value + (1 - seen) * self.not_shown
        state, states = torch.tanh(value), []
        for _ in range(num_frames):
            state = self.cell(value, state)
            states.append(state)
        # What does not move goes around the cell, whose tanh would squeeze colors.
        hidden = torch.stack(states, 1) + value[:, None]  # (B, T, C, 4, 4)
        positions = torch.arange(num_frames, device=latent.device)
        levels: list[GeneratedLevel] = []
        for size, block in self.blocks.items():
            if levels and self.training and size in self.render:
                offset = int(torch.randint(min(2, len(positions)), ()))
                hidden, positions = hidden[:, offset::2], positions[offset::2]
            batch = len(hidden)
            hidden = block(hidden.flatten(0, 1)).unflatten(0, (batch, -1))
            if size in self.render:
                frames = self.render[size](F.relu(hidden.flatten(0, 1))).unflatten(0, (batch, -1))
                if background is not None:
                    frames = frames + (seen * blur(background, int(size)))[:, None]
                levels.append(GeneratedLevel(frames.transpose(1, 2), positions))
        return levels


class VideoDiscriminator(nn.Module):
    """Score clips of one resolution with 3D residual blocks, whose channels double with depth."""

    def __init__(self, resolution: int, channels: int) -> None:
        super().__init__()
        # Halves the frames at once: at full resolution this layer would cost more than all others.
        self.enter = nn.Conv3d(3, channels, (3, 4, 4), stride=(1, 2, 2), padding=1)
        blocks: list[nn.Module] = []
        resolution //= 2
        while resolution > LATENT_SIZE:
            blocks.append(DownBlock(channels, 2 * channels))
            channels, resolution = 2 * channels, resolution // 2
        self.blocks = nn.Sequential(*blocks)
        self.score = nn.Linear(channels, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """``[B, 3, T, R, R]`` to ``[B]``."""
        return self.score(F.leaky_relu(self.blocks(self.enter(frames)), 0.2).mean((2, 3, 4)))[:, 0]


class DownBlock(nn.Module):
    """Residual block that halves height and width."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(in_channels, in_channels, 3, padding=1)
        self.second = nn.Conv3d(in_channels, out_channels, (1, 3, 3), padding=(0, 1, 1))
        self.shortcut = nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, value: Tensor) -> Tensor:
        """``[B, C, T, H, W]`` to ``[B, C', T, H/2, W/2]``."""
        halve = (1, 2, 2)
        deep = F.leaky_relu(self.first(F.leaky_relu(value, 0.2)), 0.2)
        deep = self.second(F.avg_pool3d(deep, halve))
        return deep + self.shortcut(F.avg_pool3d(value, halve))


def resize_frames(frames: Tensor, side: int) -> Tensor:
    """Shrink ``[B, C, T, H, W]`` to ``[B, C, T, side, side]`` by averaging over areas."""
    return F.interpolate(frames, size=(frames.shape[2], side, side), mode='area')


def blur(images: Tensor, side: int) -> Tensor:
    """What 4x4 means tell of images, drawn smoothly: ``[B, C, H, W]`` to ``[B, C, side, side]``."""
    small = F.adaptive_avg_pool2d(images, LATENT_SIZE)
    return F.interpolate(small, size=(side, side), mode='bilinear', align_corners=False)
