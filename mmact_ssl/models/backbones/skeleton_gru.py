"""MS2L's encoder of skeleton sequences, and one encoder for each stream of a skeleton."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from mmact_ssl.models.necks.skeleton_pooling import SkeletonPooling
from mmact_ssl.models.networks.packed_gru import run_packed_gru
from mmact_ssl.models.skeletons import check_skeleton_shape, clip_lengths, find_layout, valid_frames
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class SkeletonGRU(BaseModule):
    """Bidirectional GRU over the flattened coordinates of all persons of a frame.

    Size and initialization are as published (MS2L, arXiv 2010.05599, and its released code; each
    recurrent matrix is orthogonal as a whole, over its three gates). The released code also runs
    over padding; here each direction starts at its own end of the clip, see
    :func:`run_packed_gru`.

    Args:
        in_channels: Coordinates C of a joint: 3 for joints in space, 3 for each of several streams.
        hidden_size: Units per direction.
        pool: ``'mean'`` or ``'mean_max'``: pool each clip to a single frame by
            :class:`SkeletonPooling`, for a stock mmaction2 head, whose own mean would count
            padding. None: return all frames.
    """

    reads_valid = True

    def __init__(
        self,
        layout: str,
        num_persons: int = 1,
        in_channels: int = 3,
        hidden_size: int = 300,
        num_layers: int = 2,
        pool: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.shape = (num_persons, find_layout(layout).num_joints, in_channels)
        self.pool = None if pool is None else SkeletonPooling(pool)
        input_size = num_persons * self.shape[1] * in_channels
        self.gru = nn.GRU(input_size, hidden_size, num_layers, batch_first=True, bidirectional=True)
        for name, parameter in self.gru.named_parameters():
            if name.startswith('weight_ih'):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith('weight_hh'):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """``(B, M, T, V, C)`` to ``(B, 1, C', T', 1)``, mmaction2's order of axes.

        C' is ``2 * hidden_size``, T' is T, and padded frames are 0. With ``pool`` T' is 1; with
        ``'mean_max'`` there are twice as many channels, means first. ``valid``, bool ``(B, M, T)``,
        is by default computed by :func:`valid_frames`.
        """
        check_skeleton_shape('SkeletonGRU', x, self.shape)
        valid = valid_frames(x) if valid is None else valid
        frames = x.transpose(1, 2).flatten(2)  # (B, T, M*V*C)
        features = run_packed_gru(self.gru, frames, clip_lengths(valid))  # (B, T, 2*hidden)
        feature_map = features.transpose(1, 2)[:, None, :, :, None].contiguous()
        if self.pool is None:
            return feature_map
        return self.pool(feature_map, valid)[:, None, :, None, None]


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
