# SPDX-License-Identifier: Apache-2.0
"""Whether a student of part maps tells left from right: it must say of a mirrored clip the same."""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_ssl.datasets.part_layouts import PartLayout
from mmact_ssl.models.losses import as_distribution, part_overlap


def mirror_part_maps(maps: Tensor, layout: PartLayout, exchange: bool = True) -> Tensor:
    """Part maps of the mirrored clip, ``[..., C, h, w]``.

    Args:
        maps: ``[..., C, h, w]``.
        layout: of the C parts.
        exchange: give what lies left to the right and the other way round, as a mirror does.
    """
    mirrored = maps.flip(-1)
    if not exchange:
        return mirrored
    return mirrored.index_select(-3, torch.as_tensor(layout.flip_indices, device=maps.device))


def flip_agreement(maps: Tensor, of_mirrored: Tensor, layout: PartLayout) -> dict[str, Tensor]:
    """Overlap of the maps of a clip with those of its mirror image, mirrored back.

    A student that knows the sides agrees with left and right exchanged and not without; one that
    goes by the place in the picture agrees without. Our choice.

    Args:
        maps, of_mirrored: ``[B, T, C, h, w]``, 0..1.
        layout: of the C parts.

    Returns:
        ``exchanged`` and ``not_exchanged``: ``[B]``, 0..1, as :func:`part_overlap`; both are the
        same where the layout has no sides.
    """
    own = as_distribution(maps)
    counted = own.sum(2) > 0
    return {
        name: part_overlap(
            as_distribution(mirror_part_maps(of_mirrored, layout, exchange)), own, counted
        )
        for name, exchange in (('exchanged', True), ('not_exchanged', False))
    }
