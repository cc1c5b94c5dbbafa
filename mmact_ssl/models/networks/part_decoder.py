"""Decoder from the student's map to the parts of each frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn


class PartDecoder(BaseModule):
    """Decoder of part maps: it unfolds channels to frames, enlarges and convolves.

    Interpolation alone would give all frames of a step of the feature map the same picture. So a
    1x1x1 convolution first makes ``frames_per_step`` frames of each step (sub-pixel convolution in
    time, Shi et al., arXiv 1609.05158). Our choice.

    Args:
        num_parts: Channels C of the logits.
        frames_per_step: Frames of the clip for a step of the map.
        hidden_dim: Hidden channels, a multiple of 8.
        background_logit: Difference of the background's logit to each part's before training.
    """

    def __init__(
        self,
        in_channels: int,
        num_parts: int,
        frames_per_step: int = 8,
        hidden_dim: int = 64,
        background_logit: float = 0.0,
    ) -> None:
        super().__init__()
        self.frames_per_step = frames_per_step
        self.unfold = nn.Conv3d(in_channels, hidden_dim * frames_per_step, kernel_size=1)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(hidden_dim, hidden_dim, kernel_size=3, padding=1, bias=False),
                nn.GroupNorm(8, hidden_dim),
                nn.ReLU(inplace=True),
            )
            for _ in range(2)
        )
        self.classify = nn.Conv3d(hidden_dim, num_parts, kernel_size=1)
        start = torch.zeros(num_parts)
        # A single part is the person; then the background's logit is 0.
        start[0] = background_logit if num_parts > 1 else -background_logit
        self.classify.bias = nn.Parameter(start)

    def forward(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """Features ``(B, C', T', H', W')`` and size (T, h, w) to logits ``(B, T, C, h, w)``."""
        unfolded = self.unfold(features).unflatten(1, (-1, self.frames_per_step))
        maps = unfolded.transpose(2, 3).flatten(2, 3)  # (B, hidden, T' * frames, H', W')
        start = maps.shape[2:]
        for number, stage in enumerate(self.stages, start=1):
            share = number / len(self.stages)
            # Sizes grow geometrically up to `size`.
            between = [round(old * (new / old) ** share) for old, new in zip(start, size)]
            maps = F.interpolate(maps, size=between, mode='trilinear', align_corners=False)
            maps = stage(maps)
        return self.classify(maps).transpose(1, 2)
