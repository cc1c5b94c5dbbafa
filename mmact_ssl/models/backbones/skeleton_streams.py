"""One encoder for each stream of a skeleton."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule, ModuleList
from torch import Tensor

from mmact_ssl.models.skeletons import valid_frames
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class SkeletonStreams(BaseModule):
    """Backbone with a separate encoder for each stream of ``BonesAndMotion``.

    The maps are joined along the channels, stream by stream. Late fusion of joints, bones and
    motion is usual for skeletons (2s-AGCN, Shi et al. 2019); training all together is our choice.

    Args:
        encoder: Config of an encoder that takes ``valid``, such as ``SkeletonGRU``; each stream has
            its own.
        num_streams: Number of streams; the clip's channels are split into so many equal parts.
    """

    reads_valid = True

    def __init__(self, encoder: dict, num_streams: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.encoders = ModuleList(MODELS.build(encoder) for _ in range(num_streams))

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """``(B, M, T, V, num_streams * C)`` to ``(B, M', num_streams * C', T', V')``."""
        # From all streams together, because the motion of a still body is zero.
        valid = valid_frames(x) if valid is None else valid
        parts = x.chunk(len(self.encoders), dim=4)
        maps = [encoder(part, valid) for encoder, part in zip(self.encoders, parts)]
        return torch.cat(maps, dim=2)
