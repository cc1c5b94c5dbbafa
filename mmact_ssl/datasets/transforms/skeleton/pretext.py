"""Views of a skeleton clip, and the transforms that MS2L's tasks undo or recognize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.segments import shuffle_segments
from mmact_ssl.datasets.transforms.skeleton.joints import (
    num_valid_frames,
    refuse_traces,
    set_frames,
)
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import SCOPE, TRANSFORMS


@TRANSFORMS.register_module()
class MakeSkeletonViews(BaseTransform):
    """Make the views of a clip, each by its own transforms.

    Each view starts from a copy of the clip. All views share the transforms that come before this
    one in the pipeline; the transforms of a view's list draw for that view alone. Padding at the
    end is cut off.

    Required keys: ``keypoint``, the keys that the transforms need, and for views in
    ``other_camera`` the key ``other_camera`` of SkeletonDataset. Added keys: ``views`` {view:
    float32 (M, T', V, C')}; ``targets`` {view: targets of the view's transforms, such as
    ``permutation``, and those of LoadTargets}; ``mirrored_views``, the names of the views that
    SkeletonFlip may mirror.

    Args:
        views: Name of each view and configs of its transforms; with an empty list the view is the
            unchanged clip.
        other_camera: Views that show the clip of another camera, if there is one. That clip comes
            unchanged from the data set: transforms that all views need, such as NormalizeSkeleton,
            must be in the views' lists. Our choice.

    Raises:
        ConfigError: A view needs the other camera, and the data set does not pair cameras; or a
            masked view has bones or motion.
    """

    def __init__(
        self, views: Mapping[str, Sequence[Mapping[str, Any]]], other_camera: Sequence[str] = ()
    ) -> None:
        self.views = {
            view: [TRANSFORMS.build({'_scope_': SCOPE, **config}) for config in transforms]
            for view, transforms in views.items()
        }
        self.other_camera = frozenset(other_camera)
        if not self.other_camera <= self.views.keys():
            unknown = sorted(self.other_camera - self.views.keys())
            raise ConfigError(f'MakeSkeletonViews: other_camera names no view of views: {unknown}')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if self.other_camera and 'other_camera' not in results:
            raise ConfigError(
                f'MakeSkeletonViews: {sorted(self.other_camera)} should show another camera, but '
                'the data set has no performance_pattern that finds it'
            )
        other = results.get('other_camera') or results
        views, mirrored = {}, []
        targets = results.setdefault('targets', {})
        for view, transforms in self.views.items():
            clip = other if view in self.other_camera else results
            view_results = {**clip, 'keypoint': clip['keypoint'].copy(), 'targets': {}}
            for transform in transforms:
                view_results = transform(view_results)
            _check_mask(view, view_results)
            views[view] = view_results['keypoint'][:, : num_valid_frames(view_results)]
            targets.setdefault(view, {}).update(view_results['targets'])
            if view_results.get('mirrored'):
                mirrored.append(view)
        results.update(views=views, mirrored_views=mirrored)
        return results


def _check_mask(view: str, results: Mapping[str, Any]) -> None:
    """Raise ConfigError if a masked view has values of a joint computed from other places.

    The bone of a visible joint would contain its masked parent, its motion a masked frame.
    """
    derived = [name for name in results.get('streams', ()) if name != 'joint']
    if 'mask' in results['targets'] and derived:
        raise ConfigError(
            f'MakeSkeletonViews: the masked view {view!r} has {", ".join(derived)} of '
            'BonesAndMotion, in which visible joints contain masked ones: remove BonesAndMotion '
            'from this view and from the transforms before it'
        )


@TRANSFORMS.register_module()
class MaskFuture(BaseTransform):
    """Keep the first 70 % of a clip and set the rest to zero, at the same length.

    Of the T frames before the padding the first ceil(0.7 T) stay.

    Required keys: ``keypoint``; optional ``valid_frames``. Modified keys: ``keypoint``.

    Source: MS2L, motion prediction.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        masked = results['keypoint'].copy()
        masked[:, -(-7 * num_valid_frames(results) // 10) :] = 0
        results['keypoint'] = masked
        return results


@TRANSFORMS.register_module()
class ShuffleSegments(BaseTransform):
    """Cut a clip into 2..6 equal segments and put them in a random order.

    See :func:`shuffle_segments`. Padding is dropped, and so are the frames behind the last segment,
    which would show by their neighbor where they belong. (The published code divides a clip of
    fewer frames than segments with its padding; its random target cannot be predicted.)

    What would reveal the old order comes after it, see :func:`refuse_traces`: the origin of a first
    frame, interpolation, motion.

    Required keys: ``keypoint``; optional ``valid_frames``. Modified keys: both, ``total_frames``.
    Added keys: ``targets['permutation']``, int64 (segments,), see :func:`shuffle_segments`.

    Source: MS2L, jigsaw.
    """

    def __init__(self, segments: int = 3) -> None:
        self.segments = segments

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        refuse_traces(results, self)
        places, permutation = shuffle_segments(num_valid_frames(results), self.segments)
        set_frames(results, results['keypoint'][:, places], len(places))
        results.setdefault('targets', {})['permutation'] = permutation
        return results
