"""A further view with the frames of another one."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.formatting import check_views
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CopyView(BaseTransform):
    """Add a view with the frames and targets of another, such as one that gets a mask.

    Required keys: ``views``. Added keys: ``views[view]`` and ``targets[view]``.

    Args:
        view: Name of the added view.
        source: View whose frames it shows.
    """

    def __init__(self, view: str, source: str) -> None:
        self.view = view
        self.source = source

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        views, targets = results['views'], results.setdefault('targets', {})
        check_views(self, [self.source], views)
        views[self.view] = views[self.source]
        targets[self.view] = dict(targets.get(self.source, {}))
        return results
