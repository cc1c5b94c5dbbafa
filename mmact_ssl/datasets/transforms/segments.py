"""Segments of a clip in random order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.formatting import check_views
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


def shuffle_segments(num_frames: int, segments: int) -> tuple[np.ndarray, np.int64]:
    """Draw an order of the equal segments of a clip.

    Each segment has ``num_frames // segments`` frames; the remaining frames stay at the end.
    Permutation p, drawn uniformly, puts segment p[0] first, then p[1] and so on. A clip with fewer
    frames than segments does not change.

    Returns:
        The old place of each frame, int64 (num_frames,), and the permutation's index in
        :func:`itertools.permutations`, 0..segments! - 1, 0 for a clip that does not change.
    """
    orders = list(permutations(range(segments)))
    length = num_frames // segments
    choice = np.random.randint(len(orders))
    if length == 0:
        choice = 0
    places = np.arange(num_frames)
    parts = places[: length * segments].reshape(segments, length)
    places[: parts.size] = parts[list(orders[choice])].ravel()
    return places, np.int64(choice)


@TRANSFORMS.register_module()
class ShuffleViewSegments(BaseTransform):
    """Put 2..6 equal segments of the frames of some views in a random order.

    Each view gets an order of its own, see :func:`shuffle_segments`. Frames beyond the video's end,
    which are padding, stay at the end. It follows ``SampleViews`` and comes before ``LoadTargets``
    and ``DecodeViews``, so that frames and targets have the same order.

    Required keys: ``frame_inds``; ``targets`` {view: ``valid``}. Modified keys: ``frame_inds``.
    Added keys: ``targets`` {view: ``permutation``, int64, 0..segments! - 1}.

    Args:
        views: Names of the views.
        segments: Number of segments.

    Raises:
        ConfigError: LoadTargets or DecodeViews comes before it.

    Source: the jigsaw of MS2L (arXiv 2010.05599) on the frames of a video, our choice; VCOP (Xu et
    al., CVPR 2019) orders clips that it encodes one by one.
    """

    def __init__(self, views: Sequence[str] = ('clip',), segments: int = 3) -> None:
        self.views = tuple(views)
        self.segments = segments

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'views' in results or results.get('target_meta'):
            raise ConfigError(
                'ShuffleViewSegments: LoadTargets or DecodeViews has read the frames in their old '
                'order: put ShuffleViewSegments before both'
            )
        check_views(self, self.views, results['frame_inds'])
        for view in self.views:
            targets, inds = results['targets'][view], results['frame_inds'][view]
            frames = int(targets['valid'].sum())
            places, targets['permutation'] = shuffle_segments(frames, self.segments)
            results['frame_inds'][view] = np.append(inds[places], inds[frames:])
        return results
