"""Transformer over the joints of a skeleton clip in segments of time."""

from __future__ import annotations

import torch
from mmaction.models.backbones.vit_mae import Block
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.masks import check_grid, spread_tokens, visible_tokens
from mmact_ssl.models.skeletons import check_skeleton_shape, find_layout
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class SkeletonTransformer(BaseModule):
    """Transformer whose tokens are the joints of each person in segments of time.

    A token is a linear map of a joint's coordinates over the frames of a segment, plus learned
    codes of the joint and of the segment. Each person is encoded alone. It encodes only the visible
    tokens of a masked clip; masked places of the map hold the mean of the visible ones. It would
    read padding, so that all clips must have as many frames.

    Source: MAMP (Mao et al., arXiv 2308.07092) and its released code, after SkeletonMAE. The mean
    at masked places is our choice.

    Args:
        num_frames: Largest number of frames of a clip.
        segment: Frames of a segment.
        embed_dims, depth, num_heads: Size of the network; as published 256, 8 and 8.
    """

    reads_mask = True

    def __init__(
        self,
        layout: str,
        in_channels: int = 3,
        num_frames: int = 120,
        segment: int = 4,
        embed_dims: int = 256,
        depth: int = 8,
        num_heads: int = 8,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Xavier', layer='Linear', distribution='uniform'))
        self.shape = (None, find_layout(layout).num_joints, in_channels)  # of any persons
        self.segment = segment
        self.embed = nn.Linear(segment * in_channels, embed_dims)
        self.joint_codes = nn.Parameter(torch.zeros(self.shape[1], embed_dims))
        self.time_codes = nn.Parameter(torch.zeros(num_frames // segment, 1, embed_dims))
        for codes in (self.joint_codes, self.time_codes):
            nn.init.trunc_normal_(codes, std=0.02)
        self.blocks = ModuleList(Block(embed_dims, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``(B, M, T, V, C)`` to ``(B, M, embed_dims, S, V)``, with S segments.

        Args:
            mask: bool ``(B, M, S, V, 1)``, True for masked tokens; None: none.

        Raises:
            ConfigError: The clips have other joints or coordinates, or no whole number of segments,
                or the mask has another grid.
        """
        batch, persons, frames, joints, channels = x.shape
        segments = frames // self.segment
        check_skeleton_shape('SkeletonTransformer', x, self.shape)
        if frames % self.segment or segments > len(self.time_codes):
            raise ConfigError(
                f'SkeletonTransformer got clips of {frames} frames: give ResampleFrames or '
                f'TemporalCrop a num_frames that is a multiple of segment={self.segment} and at '
                f'most {len(self.time_codes) * self.segment}'
            )
        if mask is not None:
            fix = f'give MaskJointSegments segment={self.segment}'
            check_grid(mask.shape[1:4], (persons, segments, joints), fix)
        split = x.reshape(batch * persons, segments, self.segment, joints, channels)
        tokens = self.embed(split.transpose(2, 3).flatten(3))  # (B*M, S, V, D)
        tokens = (tokens + self.joint_codes + self.time_codes[:segments]).flatten(1, 2)
        places = None if mask is None else mask.reshape(len(tokens), -1)
        if places is not None:
            tokens = visible_tokens(tokens, places)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        if places is not None:
            tokens = spread_tokens(tokens, places)
        return tokens.transpose(1, 2).reshape(batch, persons, -1, segments, joints)
