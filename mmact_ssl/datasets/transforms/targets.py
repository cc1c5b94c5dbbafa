"""Targets of a sample: read from a cache, or prepared to train a teacher of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.targets import TargetCacheError, TargetReader
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadTargetCache(BaseTransform):
    """Put the cached targets of the chosen frames beside them.

    Required keys: `filename`, `total_frames`, `frame_inds` {view: int [T]}.

    Added keys: for the target 'pose' `poses` {view: float32 [T, V, 3]}: x and y as fractions of
    the full frame, score 0..1. Any other target: `<target>` {view: [T, ...]}.

    Args:
        path: Folder of the cache.
        target: What the cache must hold (its `kind`).
        views: Views to load for; each must be in `frame_inds`.
        layout: Skeleton layout that the cache must have. None: any.
        teacher: Config file with a dict `teacher`, or that dict. If given, a cache of another
            teacher is refused.

    Raises:
        TargetCacheError: The cache is missing, damaged, stale, of another kind or layout (when
            built); a video is missing or has another number of frames (when called).
    """

    def __init__(
        self,
        path: str,
        target: str = 'pose',
        views: Sequence[str] = ('clip',),
        layout: str | None = 'coco17',
        teacher: str | dict | None = None,
    ) -> None:
        self.path = path
        self.target = target
        self.views = tuple(views)
        self.layout = layout
        fingerprint = None
        config = teacher if isinstance(teacher, str) else 'CONFIG'
        if teacher is not None:
            # Needed here only: the teachers import mmpose or onnxruntime.
            from mmact_ssl.models.teachers import build_teacher

            fingerprint = build_teacher(teacher).fingerprint()
        command = f'python tools/extract_targets.py {config} --ann ANNOTATION --out {path}'
        self.reader = TargetReader(path, fingerprint, command)
        self._check_kind()

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the targets to one sample."""
        key = self.reader.find(results['filename'])
        values = self.reader.get(key)
        if len(values) != results['total_frames']:
            raise TargetCacheError(
                f'video {key!r} has {results["total_frames"]} frames but {len(values)} targets in '
                f'the cache {self.path}: the video has changed, make the cache again with '
                f'`{self.reader.command} --overwrite`'
            )
        targets = results.setdefault('poses' if self.target == 'pose' else self.target, {})
        for view in self.views:
            if view not in results['frame_inds']:
                raise KeyError(
                    f'LoadTargetCache: view {view!r} is not among the sampled views '
                    f'{sorted(results["frame_inds"])}; add it to SampleViews or take it out of '
                    'views'
                )
            targets[view] = values[np.asarray(results['frame_inds'][view])]
        return results

    def _check_kind(self) -> None:
        meta = self.reader.meta
        if meta.kind != self.target:
            raise TargetCacheError(
                f'target cache {self.path} holds {meta.kind!r}, wanted {self.target!r}: '
                'correct path or target of LoadTargetCache'
            )
        if self.layout is None or self.target != 'pose':
            return
        if self.layout not in LAYOUTS:
            raise ValueError(
                f'LoadTargetCache: unknown layout {self.layout!r}; known are {", ".join(LAYOUTS)}'
            )
        if meta.layout != self.layout:
            raise TargetCacheError(
                f'target cache {self.path} has the layout {meta.layout!r}, wanted '
                f'{self.layout!r}: set layout={meta.layout!r} in LoadTargetCache'
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(path={self.path!r}, target={self.target!r}, '
            f'views={self.views}, layout={self.layout!r})'
        )


@TRANSFORMS.register_module()
class WholeFrameBox(BaseTransform):
    """Make the whole frame the person's box, as a teacher without a person detector sees it.

    For mmpose's training pipelines, after `LoadImage`.

    Required keys: `img` [H, W, 3].

    Modified keys: `bbox` float32 [1, 4] (left, top, right, bottom in pixels).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the box of one person."""
        height, width = results['img'].shape[:2]
        results['bbox'] = np.array([[0, 0, width, height]], np.float32)
        return results
