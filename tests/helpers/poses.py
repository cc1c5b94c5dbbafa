"""A teacher of poses without weights."""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_ssl.models.teachers import BaseTeacher


class MadePoses(BaseTeacher):
    """Poses from the means of 17 rows of the picture, dark rows unknown."""

    layout = 'coco17'

    def __init__(self) -> None:
        super().__init__({}, {})

    def predict(self, frames: Tensor) -> Tensor:
        means = torch.nn.functional.adaptive_avg_pool2d(frames.float().mean(1), (17, 2)) / 255
        return torch.cat([means, (means.sum(-1, keepdim=True) > 0.25).float()], dim=-1)
