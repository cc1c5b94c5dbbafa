"""A task's own reading of the shared trunk."""

from __future__ import annotations

from typing import Optional

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ConvolutionAdapter(BaseModule):
    """A 1x1x1 convolution on the trunk's map.

    CSVR reads a dynamic and a static feature from one backbone; that each is one such convolution
    is our choice.

    Args:
        in_channels: channels of the trunk.
        out_channels: channels of the adapted map.
    """

    def __init__(
        self, in_channels: int, out_channels: int, init_cfg: Optional[dict] = None
    ) -> None:
        super().__init__(init_cfg)
        self.convolution = nn.Conv3d(in_channels, out_channels, kernel_size=1)

    def forward(self, trunk: Tensor) -> Tensor:
        """``[B, in_channels, T, H, W]`` to ``[B, out_channels, T, H, W]``."""
        return self.convolution(trunk)
