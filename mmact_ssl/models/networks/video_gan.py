"""Generator and discriminator of short videos, after TGANv2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LATENT_SIZE = 8
BACKGROUND_SIZE = 4
BACKGROUND_DROPOUT = 0.5  # share of training clips without their background


class ConvolutionalGRUCell(nn.Module):
    """GRU cell with 3x3 convolutions as products (Ballas et al., ICLR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, value: Tensor, state: Tensor, steps: int) -> list[Tensor]:
        """Unroll over steps with a constant value ``(B, C, H, W)`` to states ``(B, C, H, W)``."""
        # The value's half of the products is equal in each step.
        own_gates, gates = self._halves(self.gates, value)
        own_candidate, candidate = self._halves(self.candidate, value)
        states = []
        for _ in range(steps):
            mixed = (own_gates + F.conv2d(state, gates, padding=1)).sigmoid()
            reset, update = mixed.chunk(2, 1)
            new = (own_candidate + F.conv2d(reset * state, candidate, padding=1)).tanh()
            state = update * state + (1 - update) * new
            states.append(state)
        return states

    @staticmethod
    def _halves(layer: nn.Conv2d, value: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's output for the value, and its weights for the state."""
        own, recurrent = layer.weight.chunk(2, 1)
        return F.conv2d(value, own, layer.bias, padding=1), recurrent.contiguous()


def double(images: Tensor) -> Tensor:
    """Enlarge ``(N, C, H, W)`` to ``(N, C, 2H, 2W)``, bilinear, since nearest shows blocks."""
    # With channels first it takes five times as long on a CPU, and even longer on a GPU.
    images = images.contiguous(memory_format=torch.channels_last)
    return F.interpolate(images, scale_factor=2, mode='bilinear', align_corners=False)


class UpBlock(nn.Module):
    """Residual block that doubles height and width."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, value: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C', 2H, 2W)``."""
        large = self.first(double(F.relu(value)))
        return double(self.shortcut(value)) + self.second(F.relu(large))


class VideoGenerator(nn.Module):
    """Generator that unrolls an 8x8 latent map over time and up-samples it to several resolutions.

    Frames start as a linear picture of 8x8. Each resolution adds to the enlarged frames of the one
    below (the skips of StyleGAN2, Karras et al., CVPR 2020, section 4.1). It adds a transposed
    convolution of the latent and the output of residual blocks, so that the generator learns colors
    and the shape of a person early (our choice).

    In training each resolution above the lowest keeps every second frame of the one below, from a
    random offset on (TGANv2, Saito et al., IJCV 2020), which saves most of the cost of high
    resolutions. Evaluation generates all frames at all resolutions.

    Args:
        channels: Channels at 8x8; halved at each doubling of the resolution, not below 16.
        resolutions: Sides of the rendered frames, rising, each a power of two times 8.
    """

    def __init__(self, latent_channels: int, channels: int, resolutions: Sequence[int]) -> None:
        super().__init__()
        self.resolutions = tuple(resolutions)
        self.enter = nn.Conv2d(latent_channels, channels, 3, padding=1)
        self.cell = ConvolutionalGRUCell(channels)
        self.blocks = nn.ModuleDict()
        self.render = nn.ModuleDict({str(LATENT_SIZE): nn.Conv2d(channels, 3, 1)})
        size, width = LATENT_SIZE, channels
        while size < self.resolutions[-1]:
            size, narrower = size * 2, max(channels // 2, 16)
            self.blocks[str(size)] = UpBlock(channels, narrower)
            self.render[str(size)] = nn.Conv2d(narrower, 3, 3, padding=1)
            channels = narrower
        self.sketch = nn.ModuleDict()
        for side in self.resolutions:
            cell = side // LATENT_SIZE
            self.sketch[str(side)] = nn.ConvTranspose2d(
                width, 3, 2 * cell, stride=cell, padding=cell // 2
            )
        if not set(map(str, self.resolutions)) <= set(self.blocks):
            raise ValueError(
                f'resolutions={self.resolutions}: use powers of two from 16 on, rising'
            )

    def forward(
        self, latent: Tensor, num_frames: int, background: Tensor | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Generate frames from a latent ``(B, C, 8, 8)`` and a background ``(B, 3, H, W)``.

        Returns:
            For each resolution, frames ``(B, 3, T_l, R, R)`` and their positions ``(T_l,)``.
        """
        value = self.enter(latent)
        unrolled = self.cell(value, torch.tanh(value), num_frames)
        # The static part bypasses the cell, because its tanh would limit colors.
        hidden = states = torch.stack(unrolled, 1) + value[:, None]  # (B, T, C, 8, 8)
        frames = self._first_picture(hidden, background)  # (B, T, 3, 8, 8)
        positions = torch.arange(num_frames, device=latent.device)
        levels: list[tuple[Tensor, Tensor]] = []
        for size, block in self.blocks.items():
            is_output = int(size) in self.resolutions
            if levels and self.training and is_output:
                offset = int(torch.randint(min(2, len(positions)), ()))
                hidden, frames = hidden[:, offset::2], frames[:, offset::2]
                positions = positions[offset::2]
            shape = hidden.shape[:2]
            large = block(hidden.flatten(0, 1))
            drawn = double(frames.flatten(0, 1)) + self.render[size](F.relu(large))
            if is_output:
                drawn = drawn + self.sketch[size](states[:, positions].flatten(0, 1))
            hidden, frames = large.unflatten(0, shape), drawn.unflatten(0, shape)
            if is_output:
                levels.append((frames.transpose(1, 2), positions))
        return levels

    def _first_picture(self, hidden: Tensor, background: Tensor | None) -> Tensor:
        """First picture, from ``(B, T, C, 8, 8)`` or the blurred background.

        This is the only input besides the latent.
        """
        drawn = self.render[str(LATENT_SIZE)](hidden.flatten(0, 1)).unflatten(0, hidden.shape[:2])
        if background is None:
            return drawn
        still = blur(background, LATENT_SIZE)[:, None]  # (B, 1, 3, 8, 8)
        share = 1 - BACKGROUND_DROPOUT if self.training else 1.0
        return torch.where(torch.rand_like(still[:, :, :1, :1, :1]) < share, still, drawn)


class VideoDiscriminator(nn.Module):
    """Discriminator of clips of one resolution: 3D residual blocks with doubling channels."""

    def __init__(self, resolution: int, channels: int) -> None:
        super().__init__()
        # It halves the frames, because at full size this layer would cost more than all others.
        self.enter = nn.Conv3d(3, channels, (3, 4, 4), stride=(1, 2, 2), padding=1)
        blocks: list[nn.Module] = []
        resolution //= 2
        while resolution > 4:
            blocks.append(DownBlock(channels, 2 * channels))
            channels, resolution = 2 * channels, resolution // 2
        self.blocks = nn.Sequential(*blocks)
        self.score = nn.Linear(channels, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, 3, T, R, R)`` to ``(B,)``."""
        return self.score(F.leaky_relu(self.blocks(self.enter(frames)), 0.2).mean((2, 3, 4)))[:, 0]


class DownBlock(nn.Module):
    """Residual block that halves height and width."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(in_channels, in_channels, 3, padding=1)
        self.second = nn.Conv3d(in_channels, out_channels, (1, 3, 3), padding=(0, 1, 1))
        self.shortcut = nn.Conv3d(in_channels, out_channels, 1)

    def forward(self, value: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` to ``(B, C', T, H/2, W/2)``."""
        halve = (1, 2, 2)
        deep = F.leaky_relu(self.first(F.leaky_relu(value, 0.2)), 0.2)
        deep = self.second(F.avg_pool3d(deep, halve))
        return deep + self.shortcut(F.avg_pool3d(value, halve))


def resize_frames(frames: Tensor, side: int) -> Tensor:
    """Shrink ``(B, C, T, H, W)`` to ``(B, C, T, side, side)`` by averaging over areas."""
    return F.interpolate(frames, size=(frames.shape[2], side, side), mode='area')


def blur(images: Tensor, side: int) -> Tensor:
    """Blur to 4x4 means, enlarged smoothly: ``(N, C, H, W)`` to ``(N, C, side, side)``."""
    small = F.adaptive_avg_pool2d(images, BACKGROUND_SIZE)
    while small.shape[-1] < side:
        small = double(small)
    return small
