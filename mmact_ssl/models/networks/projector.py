"""Projectors of a pooled feature."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.losses.common import full_precision, unit_rows


class RowNorm(nn.BatchNorm1d):
    """Batch normalization of rows ``(N, C)`` that also accepts a single row in training.

    The last batch of an epoch may be a single clip without a deviation. It is normalized by the
    running statistics and does not change them. Our choice.
    """

    def forward(self, rows: Tensor) -> Tensor:
        if self.training and len(rows) == 1:
            statistics = (self.running_mean, self.running_var)
            return F.batch_norm(rows, *statistics, self.weight, self.bias, eps=self.eps)
        return super().forward(rows)


def make_projector(
    in_channels: int,
    hidden_dim: int,
    out_channels: int,
    final_bn: bool = False,
    hidden_layers: int = 1,
) -> nn.Sequential:
    """Linear, batch normalization, ReLU, linear; ``(N, in_channels) -> (N, out_channels)``.

    Weights Xavier-normal, biases zero: as in MS2L's released code (arXiv 2010.05599).

    Args:
        hidden_dim: Size of the hidden layer; 0: a linear layer only, so that the student must
            learn more.
        final_bn: Also normalize the output over the batch, so that the clips cannot collapse to a
            point. SimCLR's released code (arXiv 2002.05709) does so with a learned scale.
    """
    layers: list[nn.Module] = []
    for _ in range(hidden_layers if hidden_dim else 0):
        layers += [nn.Linear(in_channels, hidden_dim), RowNorm(hidden_dim), nn.ReLU(True)]
        in_channels = hidden_dim
    layers.append(nn.Linear(in_channels, out_channels))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers, *[RowNorm(out_channels, affine=False)] * final_bn)


def make_plain_projector(in_channels: int, hidden_dim: int, out_channels: int) -> nn.Sequential:
    """Linear, ReLU, linear, with torch's initialization; rows do not depend on each other."""
    return nn.Sequential(
        nn.Linear(in_channels, hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, out_channels),
    )


class Prototypes(nn.Linear):
    """Cosines of rows with K learned directions, ``(N, C) -> (N, K)``.

    The last layer of DINO's projector (arXiv 2104.14294), whose weights have length 1.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        with full_precision(rows):
            return F.linear(unit_rows(rows), unit_rows(self.weight))


class UnitProjector(nn.Sequential):
    """Plain projector to rows of length 1, ``(N, in_channels) -> (N, out_channels)``."""

    def __init__(self, in_channels: int, hidden_dim: int, out_channels: int) -> None:
        # Its weights have the names of published files.
        super().__init__(make_plain_projector(in_channels, hidden_dim, out_channels))
        self.in_channels = in_channels

    def forward(self, values: Tensor) -> Tensor:
        return unit_rows(super().forward(values))


def unit_sentence(prompt: Tensor) -> Tensor:
    """Scale cached embeddings ``(B, 1, P)`` to length 1, ``(B, P)``; absent ones stay zero."""
    return unit_rows(prompt.detach().squeeze(1))
