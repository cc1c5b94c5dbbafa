"""Light transformer that predicts the masked places of a map from the visible ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmact_ssl.models.masks import resize_map


class MaskedDecoder(BaseModule):
    """Predict values at all places of a grid from the map at its visible places.

    A visible place reads the student's map there, a masked place a learned token; both get a code
    of their position. A map with other sizes than the grid is averaged or repeated. So it also
    works on students that do not leave masked places out. The normalization of the map and the
    codes are our choice; the rest is VideoMAE's decoder (arXiv 2203.12602), which MAMP has too.

    Args:
        in_channels, out_channels: Channels of the map, and values of a place.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_dim: int = 192,
        depth: int = 2,
        num_heads: int = 3,
    ) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.LayerNorm(in_channels), nn.Linear(in_channels, hidden_dim))
        self.mask_token = nn.Parameter(torch.zeros(hidden_dim))
        layer = nn.TransformerEncoderLayer(
            hidden_dim,
            num_heads,
            4 * hidden_dim,
            dropout=0.0,
            activation='gelu',
            batch_first=True,
            norm_first=True,
        )
        norm = nn.LayerNorm(hidden_dim)
        self.blocks = nn.TransformerEncoder(layer, depth, norm, enable_nested_tensor=False)
        self.predict = nn.Linear(hidden_dim, out_channels)
        for parameter in self.parameters():
            if parameter.ndim > 1:  # torch starts all layers alike
                nn.init.xavier_uniform_(parameter)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, feature_map: Tensor, mask: Tensor, groups: int = 1) -> Tensor:
        """Map ``(B, C, *axes)`` and mask, bool ``(B, *grid)``, to ``(B, *grid, out_channels)``.

        Args:
            groups: Equal parts of the places, in their order, that do not see each other.
        """
        grid = mask.shape[1:]
        features = resize_map(feature_map, grid).flatten(2).transpose(1, 2)  # (B, L, C)
        tokens = self.embed(features)
        tokens = torch.where(mask.flatten(1)[..., None], self.mask_token, tokens)
        tokens = tokens + position_codes(grid, tokens.shape[2], tokens.device)
        tokens = tokens.unflatten(1, (groups, -1)).flatten(0, 1)
        return self.predict(self.blocks(tokens)).view(*mask.shape, -1)


def position_codes(grid: Sequence[int], channels: int, device: torch.device) -> Tensor:
    """Sines and cosines of the coordinates of a grid's places, ``(L, channels)``.

    The channels are divided among the axes; within an axis as in Vaswani et al. (arXiv 1706.03762,
    section 3.5).

    Args:
        channels: An even number, at least two for each axis.
    """
    own = [channels // len(grid) // 2 * 2] * len(grid)
    own[0] += channels - sum(own)
    codes = []
    for axis, (size, width) in enumerate(zip(grid, own)):
        rates = 10000 ** -(torch.arange(0, width, 2, device=device) / width)
        angles = torch.arange(size, device=device)[:, None] * rates
        code = torch.cat([angles.sin(), angles.cos()], dim=1)
        shape = [size if other == axis else 1 for other in range(len(grid))]
        codes.append(code.view(*shape, width).expand(*grid, width))
    return torch.cat(codes, dim=-1).flatten(0, -2)
