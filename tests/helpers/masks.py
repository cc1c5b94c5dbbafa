"""Masks for tests of the masked families."""

from __future__ import annotations

import torch
from torch import Tensor


def tube_mask(grid: tuple[int, int, int], visible: int, batch: int = 2) -> Tensor:
    """``(B, 1, T', H', W')`` with so many visible places, the same at all times."""
    steps, rows, columns = grid
    generator = torch.Generator().manual_seed(1)
    order = torch.rand(batch, rows * columns, generator=generator).argsort(1)
    return (order >= visible).view(batch, 1, 1, rows, columns).repeat(1, 1, steps, 1, 1)


def joint_mask(shape: tuple[int, int, int, int], visible: int) -> Tensor:
    """``(B, M, S, V, 1)`` with so many visible places of each person."""
    batch, persons, segments, joints = shape
    generator = torch.Generator().manual_seed(2)
    order = torch.rand(batch, persons, segments * joints, generator=generator).argsort(2)
    return (order >= visible).view(*shape, 1)
