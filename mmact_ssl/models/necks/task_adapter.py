"""Adapters: a task's own representation of the shared feature map."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ConvolutionAdapter(BaseModule):
    """1x1x1 convolution on one of the backbone's maps.

    CSVR has a dynamic and a static feature from one backbone; this convolution and its level are
    our choice.

    Args:
        level: Index into the backbone's maps (``out_indices``); -1: the last, the feature map.
    """

    def __init__(
        self, in_channels: int, out_channels: int, level: int = -1, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.level = level
        self.convolution = nn.Conv3d(in_channels, out_channels, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, in_channels, T, H, W)`` to ``(B, out_channels, T, H, W)``."""
        return self.convolution(features)


@MODELS.register_module()
class GatedAdapter(BaseModule):
    """Gate for each channel of the feature map, then a 1x1x1 convolution.

    The gate is squeeze and excitation (Hu et al., arXiv 1709.01507, equations 2 to 4): it weighs
    the channels for each clip. HCPG (arXiv 2204.12729) gives each task its own representation; this
    form is our choice. The gate's hidden layer has ``in_channels // 4`` units.
    """

    def __init__(self, in_channels: int, out_channels: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        hidden = max(in_channels // 4, 1)
        self.gate = nn.Sequential(
            nn.Linear(in_channels, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, in_channels),
            nn.Sigmoid(),
        )
        self.convolution = nn.Conv3d(in_channels, out_channels, kernel_size=1)

    def forward(self, feature_map: Tensor) -> Tensor:
        """``(B, in_channels, T, H, W)`` to ``(B, out_channels, T, H, W)``."""
        gate = self.gate(feature_map.flatten(2).mean(2))  # (B, in_channels)
        return self.convolution(feature_map * gate[..., None, None, None])
