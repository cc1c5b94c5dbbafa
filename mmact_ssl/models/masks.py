"""Masked places of a view and of its map.

A mask, bool, is True where the student does not see the view. It has the axes of the view: ``(B, 1,
T', H', W')`` for videos ``(B, C, T, H, W)``, ``(B, M, S, V, 1)`` for skeletons ``(B, M, T, V, C)``.
Each size divides that of the view.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.errors import ConfigError


def hide_masked(view: Tensor, mask: Tensor) -> Tensor:
    """Set the masked places of a view to zero, for a student that reads whole views.

    Raises:
        ConfigError: A size of the mask does not divide that of the view.
    """
    sizes = [*zip(view.shape, mask.shape)]
    if any(size % places for size, places in sizes):
        raise ConfigError(
            f'a mask of {tuple(mask.shape[1:])} places does not divide a view of '
            f'{tuple(view.shape[1:])}: correct the patch or segment of its transform'
        )
    for axis, (size, places) in enumerate(sizes):
        if places > 1:
            mask = mask.repeat_interleave(size // places, axis)
    return view.masked_fill(mask, 0)


def check_grid(places: Sequence[int], tokens: Sequence[int], fix: str) -> None:
    """Raise ConfigError unless a mask has the grid of a student's tokens.

    An equal number of places is not enough: 4 x 8 x 8 patches are not 1 x 16 x 16.

    Args:
        places: Sizes of the mask's grid, ``(T', H', W')`` or ``(M, S, V)``.
        tokens: Sizes of the student's grid.
        fix: What to change in the config.
    """
    if tuple(places) != tuple(tokens):
        raise ConfigError(
            f'the mask has a grid of {tuple(places)} places, the student one of {tuple(tokens)} '
            f'tokens: {fix}'
        )


def visible_tokens(tokens: Tensor, mask: Tensor) -> Tensor:
    """Leave the masked tokens out, ``(N, L, D)`` with mask ``(N, L)`` to ``(N, K, D)``.

    Raises:
        ConfigError: Samples have different numbers of visible tokens.
    """
    counts = (~mask).sum(1).unique().tolist()
    if len(counts) > 1:
        raise ConfigError(f'samples of a batch have {counts} visible tokens: mask equally many')
    return tokens[~mask].view(len(tokens), -1, tokens.shape[2])


def spread_tokens(visible: Tensor, mask: Tensor) -> Tensor:
    """Put visible tokens ``(N, K, D)`` to their places, ``(N, L, D)``.

    Masked places get the sample's mean, so that a mean over all places is that over the visible
    ones. ``mask`` is ``(N, L)``.
    """
    places = visible.mean(1, keepdim=True).repeat(1, mask.shape[1], 1)
    return places.masked_scatter(~mask[..., None], visible)


def counted_places(mask: Tensor, valid: Tensor) -> Tensor:
    """Masked places without padding and without absent persons, of the shape of the mask.

    Args:
        mask: ``(B, 1, T', H', W')`` or ``(B, M, T', V, 1)``.
        valid: bool ``(B, T)`` or ``(B, M, T)``, False for padding. A place counts if all of its
            frames are valid.
    """
    steps = mask.shape[2]
    within = valid.reshape(len(valid), -1, steps, valid.shape[-1] // steps).all(3)
    return mask & within[..., None, None]


def to_grid(feature_map: Tensor, mask: Tensor, skeletons: bool) -> tuple[Tensor, Tensor]:
    """Bring map and mask to ``(B, C', *axes)`` and ``(B, *grid)``, both with three axes."""
    if skeletons:
        return feature_map.movedim(2, 1), mask[..., 0]  # persons, time, joints
    return feature_map, mask[:, 0]  # time, height, width


def resize_map(feature_map: Tensor, grid: tuple[int, ...] | torch.Size) -> Tensor:
    """Average or repeat a map ``(B, C, *axes)`` to a grid of three axes, ``(B, C, *grid)``."""
    if feature_map.shape[2:] == torch.Size(grid):
        return feature_map
    time, height, width = grid
    return F.adaptive_avg_pool3d(feature_map, (time, height, width))


def split_patches(values: Tensor, grid: tuple[int, ...] | torch.Size) -> Tensor:
    """Cut ``(B, T, H, W, C)`` into patches, ``(B, T', H', W', n, C)``, for a grid (T', H', W')."""
    batch, *sizes, channels = values.shape
    split = [part for size, places in zip(sizes, grid) for part in (places, size // places)]
    patches = values.reshape(batch, *split, channels).permute(0, 1, 3, 5, 2, 4, 6, 7)
    return patches.flatten(4, 6)


def join_patches(patches: Tensor, sizes: tuple[int, ...] | torch.Size) -> Tensor:
    """Invert :func:`split_patches`, for (T, H, W): ``(B, T, H, W, C)``."""
    batch, *grid, _, channels = patches.shape
    sides = [size // places for size, places in zip(sizes, grid)]
    split = patches.reshape(batch, *grid, *sides, channels)
    return split.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(batch, *sizes, channels)
