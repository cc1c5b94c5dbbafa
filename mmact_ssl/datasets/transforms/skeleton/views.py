"""Making the views of a skeleton clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.skeleton.joints import num_valid_frames
from mmact_ssl.registry import SCOPE, TRANSFORMS


@TRANSFORMS.register_module()
class MakeSkeletonViews(BaseTransform):
    """Make named views of a clip, each by transforms of its own.

    Each view starts from a copy of the clip as it is now, so what stands before this transform in
    the pipeline is common to all views, and what stands in a view's list is drawn for it alone.
    Padding at the end, if a transform put some there, is cut off: a view has its true length.

    Required keys: ``keypoint`` float32 [M, T, V, C], and what the transforms need. Added keys:
    ``views`` {view: float32 [M, T', V, C']}; ``targets`` {view: what the view's transforms left in
    ``targets``, such as ``permutation``, beside what LoadTargets put there}.

    Args:
        views: Name of each view and configs of its transforms; an empty list is the clip as it is.
    """

    def __init__(self, views: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.views = {
            view: [TRANSFORMS.build({'_scope_': SCOPE, **config}) for config in transforms]
            for view, transforms in views.items()
        }

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the views to one sample."""
        views = {}
        targets = results.setdefault('targets', {})
        for view, transforms in self.views.items():
            made = {**results, 'keypoint': results['keypoint'].copy(), 'targets': {}}
            for transform in transforms:
                made = transform(made)
            views[view] = made['keypoint'][:, : num_valid_frames(made)]
            targets.setdefault(view, {}).update(made['targets'])
        results['views'] = views
        return results
