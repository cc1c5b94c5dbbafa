# SPDX-License-Identifier: Apache-2.0
"""Small networks on a pooled feature."""

from __future__ import annotations

from torch import nn


def make_projector(
    in_channels: int, hidden_dim: int, out_channels: int, centre: bool = False
) -> nn.Sequential:
    """Linear, batch normalisation, ReLU, linear; ``[N, in_channels] -> [N, out_channels]``.

    Weights Xavier-normal, biases zero: as in MS2L's released code (arXiv 2010.05599).

    Args:
        centre: normalise the output over the batch too, so that no task can end with all clips in
            one point. SimCLR's released code (arXiv 2002.05709) does so with a learned scale.
    """
    first, last = nn.Linear(in_channels, hidden_dim), nn.Linear(hidden_dim, out_channels)
    for layer in (first, last):
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    layers = [first, nn.BatchNorm1d(hidden_dim), nn.ReLU(inplace=True), last]
    return nn.Sequential(*layers, *[nn.BatchNorm1d(out_channels, affine=False)] * centre)


def make_plain_projector(in_channels: int, hidden_dim: int, out_channels: int) -> nn.Sequential:
    """Linear, ReLU, linear, with torch's own initialisation: no row knows of the others."""
    return nn.Sequential(
        nn.Linear(in_channels, hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, out_channels),
    )
