"""Making and packing the views of a skeleton clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.formatting import pack_targets
from mmact_ssl.datasets.transforms.skeleton.joints import num_valid_frames
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import SCOPE, TRANSFORMS


@TRANSFORMS.register_module()
class MakeSkeletonViews(BaseTransform):
    """Make named views of a clip, each by transforms of its own.

    Each view starts from a copy of the clip as it is now, so what stands before this transform in
    the pipeline is common to all views, and what stands in a view's list is drawn for it alone.
    Padding at the end, if a transform put some there, is cut off: a view has its true length.

    Required keys: ``keypoint`` float32 [M, T, V, C], and what the transforms need. Added keys:
    ``views`` {view: float32 [M, T', V, C']}; ``targets`` {``<view>_<name>``: what a view's
    transforms left in ``targets[name]``, such as ``permutation``}.

    Args:
        views: Name of each view and configs of its transforms; an empty list is the clip as it is.

    Raises:
        ConfigError: No view, or its transforms are no list.
    """

    def __init__(self, views: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        if not views:
            raise ConfigError('MakeSkeletonViews: views is empty')
        for view, transforms in views.items():
            if isinstance(transforms, (str, Mapping)):
                raise ConfigError(
                    f'MakeSkeletonViews: views[{view!r}] must be a list of transforms, not '
                    f'{transforms!r}'
                )
        self.views = {
            view: [TRANSFORMS.build({'_scope_': SCOPE, **config}) for config in transforms]
            for view, transforms in views.items()
        }

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the views to one sample."""
        views, targets = {}, {}
        for view, transforms in self.views.items():
            made = {**results, 'keypoint': results['keypoint'].copy(), 'targets': {}}
            for transform in transforms:
                made = transform(made)
            views[view] = made['keypoint'][:, : num_valid_frames(made)]
            targets.update({f'{view}_{name}': value for name, value in made['targets'].items()})
        results['views'] = views
        results['targets'] = {**results.get('targets', {}), **targets}
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(views={self.views})'


@TRANSFORMS.register_module()
class PackSkeletonInputs(BaseTransform):
    """Pack skeleton views and their targets into tensors.

    Required keys: ``views``; optional ``targets``, ``target_meta`` and the targets that it names,
    ``target_valid``, ``label``, ``filename``, ``frame_dir``, ``total_frames``, ``replaced``.

    Returns a dict of

    - ``inputs`` {view: float32 tensor [M, T, V, C]};
    - ``targets`` {name: tensor}, those of ``targets``, those of LoadTargetCache
      (``<view>_<target>``, float32, and ``<view>_<target>_valid``, bool), and ``label``, an int64
      scalar, if asked for;
    - ``data_samples``: ActionDataSample with ``gt_label`` if the annotation has one (a label of -1
      is none), and the rest as meta information.

    Args:
        views: Names of the views to pack.
        label: Whether to pack the label as a target, -1 for none: for a strategy that classifies
            while it pre-trains.

    Raises:
        KeyError: A view is not there.
    """

    meta_keys = ('filename', 'frame_dir', 'total_frames', 'replaced')

    def __init__(self, views: Sequence[str], label: bool = False) -> None:
        if isinstance(views, str) or not views:
            raise ConfigError(f'PackSkeletonInputs: views must be a list of names, not {views!r}')
        self.views = tuple(views)
        self.label = label

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        inputs: dict[str, torch.Tensor] = {}
        for view in self.views:
            if view not in results['views']:
                raise KeyError(
                    f'PackSkeletonInputs: view {view!r} is not among the views '
                    f'{sorted(results["views"])} of MakeSkeletonViews'
                )
            keypoint = np.ascontiguousarray(results['views'][view], dtype=np.float32)
            inputs[view] = torch.from_numpy(keypoint)
        targets = {
            name: torch.as_tensor(value) for name, value in results.get('targets', {}).items()
        }
        targets.update(pack_targets(results, self.views))
        label = int(results.get('label', -1))
        if self.label:
            targets['label'] = torch.tensor(label)

        data_sample = ActionDataSample()
        if label >= 0:
            data_sample.set_gt_label(label)
        metainfo = {key: results[key] for key in self.meta_keys if key in results}
        data_sample.set_metainfo({'replaced': '', **metainfo})
        return {'inputs': inputs, 'targets': targets, 'data_samples': data_sample}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(views={self.views}, label={self.label})'
