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


def shuffle_segments(num_frames: int, segments: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw an order of the equal segments of a clip.

    Each segment has ``num_frames // segments`` frames; the remaining frames are left out. Segment
    ``permutation[0]`` comes first, then ``permutation[1]`` and so on, in any order alike.

    Returns:
        The old place of each frame that stays, int64 (num_frames // segments * segments,), and the
        permutation of 0..segments - 1, int64 (segments,). A clip with fewer frames than segments
        keeps its frames, and its permutation is -1: it has no order to recognize.
    """
    length = num_frames // segments
    if length == 0:
        return np.arange(num_frames), np.full(segments, -1)
    orders = np.array(list(permutations(range(segments))))
    permutation = orders[np.random.randint(len(orders))]
    return np.arange(length * segments).reshape(segments, length)[permutation].ravel(), permutation


@TRANSFORMS.register_module()
class ShuffleViewSegments(BaseTransform):
    """Put 2..6 equal segments of the frames of some views in a random order.

    Each view gets an order of its own, see :func:`shuffle_segments`. A view with padding, frames
    beyond the video's end, keeps its order and has none to recognize: the padding repeats the last
    frame and would show which segment ends with it. It follows ``SampleViews`` and comes before
    ``LoadTargets`` and ``DecodeViews``, so that frames and targets have the same order.

    Required keys: ``frame_inds``; ``targets`` {view: ``valid``}. Modified keys: ``frame_inds``.
    Added keys: ``targets`` {view: ``permutation``, int64 (segments,), see
    :func:`shuffle_segments`; -1 for a view with padding}.

    Args:
        views: Names of the views.
        segments: Number of segments.

    Raises:
        ConfigError: LoadTargets or DecodeViews comes before it; or a view's number of frames is not
            a multiple of ``segments``, so that frames would be left over, whose neighbor shows
            where they belong.

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
            inds, valid = results['frame_inds'][view], results['targets'][view]['valid']
            if len(inds) % self.segments:
                raise ConfigError(
                    f'ShuffleViewSegments: the view {view!r} has {len(inds)} frames, which do not '
                    f'make {self.segments} equal segments: set num_frames of SampleViews to a '
                    'multiple'
                )
            places, permutation = shuffle_segments(len(inds) if valid.all() else 0, self.segments)
            if len(places):
                results['frame_inds'][view] = inds[places]
            results['targets'][view]['permutation'] = permutation
        return results
