"""Distance of generated frames."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.registry import MODELS


@MODELS.register_module()
class FrameLoss(nn.Module):
    """Smooth-L1 distance of frames, averaged over colors and positions.

    Args:
        beta: Difference at which the loss turns from quadratic to linear, in deviations of the
            normalized frames.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Distance of each frame, ``[B, 3, T, H, W] -> [B, T]``."""
        distance = F.smooth_l1_loss(fake, real, reduction='none', beta=self.beta)
        return distance.mean((1, 3, 4))
