"""Geometric transforms of frames, poses and part maps together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class HorizontalFlip(BaseTransform):
    """Mirror frames and poses, left joints becoming right ones.

    In place of mmaction2's ``Flip``, which takes a joint at x = 0 for a missing one and leaves it
    where it is. A joint is missing when its score is 0, so here every x becomes width - x.

    Required keys: ``imgs``, ``img_shape``; optional ``keypoint`` (M, T, V, 2) in continuous pixels
    and ``keypoint_score`` (M, T, V). Modified keys: the same. Added keys: ``flip``.

    Args:
        layout: Name of the skeleton layout, which tells left from right.
        flip_ratio: Probability of a flip, 0..1.
    """

    def __init__(self, layout: str = 'coco17', flip_ratio: float = 0.5) -> None:
        self.layout = layout
        self.flip_ratio = flip_ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        results['flip'] = bool(np.random.rand() < self.flip_ratio)
        if not results['flip']:
            return results
        results['imgs'] = [mmcv.imflip(img) for img in results['imgs']]
        if 'keypoint' in results:
            layout = LAYOUTS[self.layout]
            joints = results['keypoint'].shape[2]
            if joints != layout.num_joints:
                raise ValueError(
                    f'HorizontalFlip: poses have {joints} joints, layout '
                    f'{self.layout!r} has {layout.num_joints}; set its layout'
                )
            keypoint = results['keypoint'][:, :, layout.flip_indices]
            keypoint[..., 0] = results['img_shape'][1] - keypoint[..., 0]
            results['keypoint'] = keypoint
            if 'keypoint_score' in results:
                results['keypoint_score'] = results['keypoint_score'][:, :, layout.flip_indices]
        return results


@TRANSFORMS.register_module()
class WholeFrameBox(BaseTransform):
    """Make the whole frame the person's box, as a teacher without a person detector sees it.

    For mmpose's training pipelines, after ``LoadImage``. Required keys: ``img`` (H, W, 3). Modified
    keys: ``bbox`` float32 (1, 4) (left, top, right, bottom in pixels).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['img'].shape[:2]
        results['bbox'] = np.array([[0, 0, width, height]], np.float32)
        return results


# Three points off one line, as fractions of the frame.
PROBES = np.array([[0.2357111, 0.3179183], [0.7193237, 0.4271929], [0.4519411, 0.8137717]])


@dataclass(frozen=True)
class ViewBox:
    """The rectangle of a frame that a view of it shows, in fractions of the frame.

    ``left`` > ``right`` if the view is mirrored, ``top`` > ``bottom`` if it is upside down.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def mirrored(self) -> bool:
        """True if left arms look like right ones."""
        return (self.right < self.left) != (self.bottom < self.top)


def probes(shape: tuple[int, int], num_frames: int, num_joints: int) -> np.ndarray:
    """Key points (M=3, T, V, 3) to be carried through transforms of frames, to find what these do.

    mmaction2's transforms move key points, whatever else they do to the frames, and know nothing
    of part maps. Each probe is a person whose joints are all in one place (x and y in continuous
    pixels, score 1), so that an exchange of left and right joints changes nothing.
    """
    points = np.append(PROBES * [shape[1], shape[0]], np.ones((3, 1)), axis=1)
    return np.tile(points[:, None, None], (1, num_frames, num_joints, 1))


def view_box(keypoint: np.ndarray, before: tuple[int, int], after: tuple[int, int]) -> ViewBox:
    """Find what a view shows from what became of :func:`probes`, (M=3, T, V, 2).

    ``before`` and ``after`` are (height, width) of the frames and of the view.
    """
    points = keypoint.reshape(3, -1, 2)
    now = points[:, 0]
    was = PROBES * [before[1], before[0]]
    # old = slope * new + start, per axis
    slope = (was[1] - was[0]) / (now[1] - now[0])
    start = was[0] - slope * now[0]
    off = np.abs(slope * points + start - was[:, None]).max()
    if not off < 0.01:
        raise ValueError(
            f'TransformViews: a transform moves key points other than by crop, resize and flip '
            f'({off:.2g} pixels off), and part maps cannot follow; take it out, or the maps'
        )
    stop = start + slope * [after[1], after[0]]
    # A thousandth of a pixel is noise; where nothing has moved the maps stay the same to the bit.
    left, top, right, bottom = np.round(
        [*(start / [before[1], before[0]]), *(stop / [before[1], before[0]])], 6
    ).tolist()
    return ViewBox(left, top, right, bottom)


def crop_maps(
    maps: np.ndarray, box: ViewBox, layout: str, size: Sequence[int] | None = None
) -> np.ndarray:
    """Cut out of part maps what a view shows, left parts becoming right ones in a mirrored view.

    Args:
        maps: float32 (T, C, h, w), 0..1, over the whole frame.
        layout: Part layout of the C channels; '' if none has sides, see LoadTargets.
        size: (h, w) of the result. None: as before.

    Returns:
        float32 (T, C, *size) over the whole view: linear between pixels; the mean under a triangle
        as wide as the new pixels where these are wider than the old ones; 0 outside the frame.
    """
    height, width = maps.shape[2:]
    rows, columns = (height, width) if size is None else size
    if box.mirrored and layout:
        maps = maps[:, PART_LAYOUTS[layout].flip_indices]
    if box == ViewBox(0, 0, 1, 1) and (rows, columns) == (height, width):
        return maps
    across = _weights(box.left, box.right, width, columns)  # (columns, w)
    down = _weights(box.top, box.bottom, height, rows)  # (rows, h)
    maps = (maps.reshape(-1, width) @ across.T).reshape(*maps.shape[:3], columns)
    return np.clip(down @ maps, 0, 1)  # (T, C, rows, columns)


def _weights(start: float, stop: float, pixels: int, wanted: int) -> np.ndarray:
    """Weight of each old pixel in each new one, float32 (wanted, pixels); rows sum to 1."""
    scale = (stop - start) * pixels / wanted  # old pixels in a new one
    centers = start * pixels + scale * (np.arange(wanted) + 0.5)
    distance = np.abs(centers[:, None] - (np.arange(pixels) + 0.5))
    weights = np.clip(1 - distance / max(1, abs(scale)), 0, None)
    weights[(centers < 0) | (centers > pixels)] = 0
    return (weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)).astype(np.float32)
