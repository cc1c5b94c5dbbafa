"""Statistics of a skeleton's joints over time, a reference without anything to learn."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmact_ssl.models.skeletons import valid_frames
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class PoseStatistics(BaseModule):
    """Mean and standard deviation over a clip's frames of every value of every joint.

    With the streams of BonesAndMotion these are mean pose, mean speed and how much both change: the
    reference that a trained encoder must exceed. Absent persons give zeros. It has no weights; our
    choice.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(B, M, T, V, C)`` to ``(B, 1, 2 * M * V * C, 1, 1)``, means first."""
        valid = valid_frames(x)[..., None, None]  # (B, M, T, 1, 1)
        count = valid.sum(2, keepdim=True).clamp(min=1)
        mean = x.masked_fill(~valid, 0).sum(2, keepdim=True) / count
        squares = (x - mean).square().masked_fill(~valid, 0).sum(2, keepdim=True) / count
        values = torch.stack([mean, squares.sqrt()], dim=1)  # (B, 2, M, 1, V, C)
        return values.flatten(1)[:, None, :, None, None]
