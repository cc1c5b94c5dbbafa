"""Pooling of a skeleton clip's map to a feature."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.skeletons import scale_valid
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class SkeletonPooling(BaseModule):
    """Pooling of a map over valid frames, present persons and all joints.

    ``'mean'`` is MS2L's sequence feature (arXiv 2010.05599; its released code adds 0.01 to the
    number of frames). The additional maximum is our choice: it keeps short movements.

    Args:
        mode: ``'mean'``, or ``'mean_max'`` for both, concatenated.
        streams: Number of equal parts of the channels; mean and maximum of a part are adjacent.
    """

    def __init__(self, mode: str = 'mean', streams: int = 1) -> None:
        super().__init__()
        if mode not in ('mean', 'mean_max'):
            raise ConfigError(f"SkeletonPooling: mode={mode!r}: use 'mean' or 'mean_max'")
        self.streams = streams
        self.mode = mode

    def forward(self, feature_map: Tensor, valid: Tensor | None = None) -> Tensor:
        """``(B, M', C', T', V')`` to ``(B, C')``, or to ``(B, 2 * C')``.

        Args:
            feature_map: M' is M, or 1 if the backbone has merged the persons.
            valid: bool ``(B, M, T)``, scaled to T' by :func:`scale_valid`; None: all valid.
        """
        values = feature_map.permute(0, 2, 1, 3, 4)  # (B, C', M', T', V')
        if valid is None:
            counts = feature_map.new_ones(len(feature_map), 1, 1, 1, 1, dtype=torch.bool)
        else:
            scaled = scale_valid(valid, feature_map.shape[3])  # (B, M, T')
            if feature_map.shape[1] == 1:
                scaled = scaled.any(1, keepdim=True)
            counts = scaled[:, None, :, :, None]  # (B, 1, M', T', 1)
        counts = counts.expand(-1, 1, *values.shape[2:])
        # Not a product, because padding may contain NaN.
        total = values.masked_fill(~counts, 0.0).flatten(2).sum(2)
        pooled = total / counts.flatten(1).sum(1, keepdim=True)
        if self.mode == 'mean':
            return pooled
        largest = values.masked_fill(~counts, torch.finfo(values.dtype).min).flatten(2).amax(2)
        parts = zip(pooled.chunk(self.streams, dim=1), largest.chunk(self.streams, dim=1))
        return torch.cat([half for part in parts for half in part], dim=1)
