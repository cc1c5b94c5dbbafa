"""Segments of a clip in random order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.formatting import check_views, targets_of_kind
from mmact_ssl.datasets.transforms.views import TransformViews
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

    Each view gets an order of its own, see :func:`shuffle_segments`. A view that repeats a frame,
    by padding beyond the video's end or because the video is short, keeps its order and has none to
    recognize: equal frames would show which segments are neighbors. It follows ``SampleViews`` and
    comes before ``LoadTargets`` and ``DecodeViews``, so that frames and targets have the same
    order. :class:`TransformSegments` hides the cuts.

    Required keys: ``frame_inds``; ``targets`` {view: ``valid``}. Modified keys: ``frame_inds``.
    Added keys: ``targets`` {view: ``permutation``, int64 (segments,), see
    :func:`shuffle_segments`; -1 for a view that repeats a frame}.

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
            has_order = valid.all() and len(np.unique(inds)) == len(inds)
            places, permutation = shuffle_segments(len(inds) if has_order else 0, self.segments)
            if len(places):
                results['frame_inds'][view] = inds[places]
            results['targets'][view]['permutation'] = permutation
        return results


@TRANSFORMS.register_module()
class TransformSegments(BaseTransform):
    """Run transforms on each segment of the frames of some views, with a draw of its own.

    Where segments in a random order share a crop and a change of colors, the frames on both sides
    of a cut are nearly equal only if they are neighbors: on JHMDB the order with the smallest
    differences at the cuts is right for 99 % of the clips of ``order_r3d18-small.py``. Our choice;
    VCOP (Xu et al., CVPR 2019) leaves out frames between its clips, which does not suffice there.

    Required keys: ``views``. Modified keys: ``views``. Its transforms may not mirror: segments of a
    clip are mirrored together.

    Args:
        transforms: As of :class:`TransformViews`.

    Raises:
        ConfigError: A transform mirrors; or a view has poses or part maps, which would not follow.
    """

    def __init__(
        self, views: Sequence[str], transforms: Sequence[Mapping[str, Any]], segments: int = 3
    ) -> None:
        self.views = tuple(views)
        self.segments = segments
        self.transform_segment = TransformViews(('segment',), transforms)
        if self.transform_segment.mirrored:
            raise ConfigError(
                'TransformSegments: a flip would mirror some segments of a clip alone: put it into '
                'TransformViews'
            )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        check_views(self, self.views, results['views'])
        for view in self.views:
            if any(targets_of_kind(kind, results, view) for kind in ('pose', 'map')):
                raise ConfigError(
                    f'TransformSegments: the poses or part maps of the view {view!r} would not '
                    'follow: use TransformViews'
                )
            frames = results['views'][view]
            length = len(frames) // self.segments  # ShuffleViewSegments has made equal ones
            parts = (frames[start : start + length] for start in range(0, len(frames), length))
            moved = (self.transform_segment(dict(views=dict(segment=part))) for part in parts)
            results['views'][view] = [frame for part in moved for frame in part['views']['segment']]
        return results
