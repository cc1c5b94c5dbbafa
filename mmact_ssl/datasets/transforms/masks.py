"""Masks of the patches of a video view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.formatting import check_views
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MaskTubes(BaseTransform):
    """Draw which patches of a view the student does not see: the same places in all frames.

    The frames stay as they are: heads predict them, and a momentum encoder reads them whole. The
    student leaves the masked patches out, or reads zeros there, see
    :func:`mmact_ssl.models.encoding.encode_view`.

    Required keys: ``views``. Added keys: ``targets[view]['mask']``, bool (1, T', H', W'), True
    where masked; the axes are those of the packed view, and each size divides the view's.

    Args:
        patch: Frames, height and width of a patch, in frames and pixels.
        ratio: Share of masked places, 0 < ratio < 1. The number is rounded down, and at least one
            place stays visible.

    Raises:
        ConfigError: The frames are not a whole number of patches.

    Source: VideoMAE (Tong et al., arXiv 2203.12602), section 3.3.
    """

    def __init__(
        self, view: str = 'clip', patch: Sequence[int] = (2, 16, 16), ratio: float = 0.9
    ) -> None:
        self.view = view
        self.patch = tuple(patch)
        self.ratio = check_ratio(self, ratio)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        views, targets = results['views'], results.setdefault('targets', {})
        check_views(self, [self.view], views)
        shape = (len(views[self.view]), *views[self.view][0].shape[:2])
        if any(size % side for size, side in zip(shape, self.patch)):
            raise ConfigError(
                f'MaskTubes: the view {self.view!r} has (frames, height, width) {shape}, which is '
                f'not a whole number of patches {self.patch}: change patch, or the size of the view'
            )
        steps, rows, columns = (size // side for size, side in zip(shape, self.patch))
        places = draw_mask(rows * columns, self.ratio).reshape(1, 1, rows, columns)
        targets.setdefault(self.view, {})['mask'] = places.repeat(steps, axis=1)
        return results


def check_ratio(transform: BaseTransform, ratio: float) -> float:
    """Return a share of masked places; ConfigError unless 0 < ratio < 1."""
    if not 0 < ratio < 1:
        raise ConfigError(f'{type(transform).__name__}: ratio={ratio}: give a share, 0 < ratio < 1')
    return ratio


def draw_mask(count: int, ratio: float, preference: np.ndarray | float = 0.0) -> np.ndarray:
    """Draw masked places without replacement: bool (count,).

    Args:
        count: Number of places.
        ratio: Share of masked places, rounded down; at least one place stays visible.
        preference: (count,), logarithm of each place's weight in the draw; 0: all alike.
    """
    # The small term makes 0.9 of 10 places 9, in spite of rounding.
    masked = min(int(ratio * count + 1e-9), count - 1)
    if masked < 1:
        raise ConfigError(f'a mask of {ratio} of {count} places hides none: give a larger ratio')
    # The largest sums with Gumbel noise are a draw by weight without replacement.
    order = np.argsort(-(preference + np.random.gumbel(size=count)))
    mask = np.zeros(count, bool)
    mask[order[:masked]] = True
    return mask
