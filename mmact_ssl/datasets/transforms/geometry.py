"""Geometric transforms that move frames, poses and part maps together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS, PART_LAYOUTS
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class HorizontalFlip(BaseTransform):
    """Mirror frames and poses, and exchange left and right joints.

    It replaces mmaction2's ``Flip``, which does not move joints at x = 0 because it treats them as
    missing. Here a joint is missing if its score is 0, so every x becomes width - x.

    Required keys: ``imgs``, ``img_shape``; optional ``keypoint`` (M, T, V, 2) in continuous pixels
    and ``keypoint_score`` (M, T, V). Modified keys: the same. Added keys: ``flip``.

    Args:
        layout: Name of the skeleton layout, which defines left and right.
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
            layout = LAYOUTS[self.layout]  # TransformViews checks that it is that of the poses
            keypoint = results['keypoint'][:, :, layout.flip_indices]
            keypoint[..., 0] = results['img_shape'][1] - keypoint[..., 0]
            results['keypoint'] = keypoint
            if 'keypoint_score' in results:
                results['keypoint_score'] = results['keypoint_score'][:, :, layout.flip_indices]
        return results


@TRANSFORMS.register_module()
class WholeFrameBox(BaseTransform):
    """Set the person's box to the whole frame, as for a teacher without a person detector.

    For mmpose's training pipelines, after ``LoadImage``. Required keys: ``img`` (H, W, 3). Modified
    keys: ``bbox`` float32 (1, 4) (left, top, right, bottom in pixels).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['img'].shape[:2]
        results['bbox'] = np.array([[0, 0, width, height]], np.float32)
        return results


# Three points that are not on a line, as fractions of the frame.
PROBES = np.array([[0.2357111, 0.3179183], [0.7193237, 0.4271929], [0.4519411, 0.8137717]])


def probes(shape: tuple[int, int], num_frames: int, num_joints: int) -> np.ndarray:
    """Key points (M=3, T, V, 3) whose movement shows how transforms move the frames.

    mmaction2's transforms move key points with the frames, but do not know part maps. Each probe is
    a person whose joints share one place (x and y in continuous pixels, score 1), so that an
    exchange of left and right joints changes nothing.
    """
    points = np.append(PROBES * [shape[1], shape[0]], np.ones((3, 1)), axis=1)
    return np.tile(points[:, None, None], (1, num_frames, num_joints, 1))


def view_box(
    keypoint: np.ndarray, before: tuple[int, int], after: tuple[int, int]
) -> list[list[float]]:
    """Rectangle of a frame that a view of it shows, from the moved :func:`probes`.

    Args:
        keypoint: The probes after the transforms, (M=3, T, V, 2).
        before: (height, width) of the frames.
        after: (height, width) of the view.

    Returns:
        ``[[left, top], [right, bottom]]`` in fractions of the frame; left > right if the view is
        mirrored, top > bottom if it is upside down.
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
    # Rounding removes noise below a thousandth of a pixel: unmoved maps stay equal to the bit.
    return (np.stack([start, stop]) / [before[1], before[0]]).round(6).tolist()


def crop_maps(
    maps: np.ndarray, box: Sequence[Sequence[float]], layout: str, size: Sequence[int] | None = None
) -> np.ndarray:
    """Cut the part that a view shows out of part maps; a mirrored view exchanges left and right.

    Args:
        maps: float32 (T, C, h, w), 0..1, over the whole frame.
        layout: Part layout of the C channels.
        size: (h, w) of the result. None: as before.

    Returns:
        float32 (T, C, *size) over the whole view, by linear interpolation. Larger pixels than
        before take the mean under a triangle of their width. Outside the frame the maps are 0.
    """
    height, width = maps.shape[2:]
    rows, columns = (height, width) if size is None else size
    (left, top), (right, bottom) = box
    if (right < left) != (bottom < top):  # left arms look like right ones
        maps = maps[:, PART_LAYOUTS[layout].flip_indices]
    if box == [[0, 0], [1, 1]] and (rows, columns) == (height, width):
        return maps
    across = _weights(left, right, width, columns)  # (columns, w)
    down = _weights(top, bottom, height, rows)  # (rows, h)
    maps = (maps.reshape(-1, width) @ across.T).reshape(*maps.shape[:3], columns)
    return np.clip(down @ maps, 0, 1)  # (T, C, rows, columns)


def _weights(start: float, stop: float, pixels: int, new_pixels: int) -> np.ndarray:
    """Weight of each old pixel in each new one, float32 (new_pixels, pixels); rows sum to 1."""
    scale = (stop - start) * pixels / new_pixels  # old pixels in a new one
    centers = start * pixels + scale * (np.arange(new_pixels) + 0.5)
    distance = np.abs(centers[:, None] - (np.arange(pixels) + 0.5))
    weights = np.clip(1 - distance / max(1, abs(scale)), 0, None)
    weights[(centers < 0) | (centers > pixels)] = 0
    return (weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)).astype(np.float32)
