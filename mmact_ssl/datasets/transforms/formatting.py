"""Packing of the views and targets of a sample."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform

from mmact_ssl.errors import BrokenSampleError, ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackInputs(BaseTransform):
    """Pack the views of a video or a skeleton clip, and their targets, into tensors.

    Required keys: ``views``; optional ``targets``, ``target_meta``, ``label``, and the keys of
    ``meta_keys``. Returns a dict of

    - ``inputs`` {view: frames as uint8 tensor (C=3, T, H, W), RGB, or skeletons as float32 tensor
      (M, T, V, C)};
    - ``targets`` {view: {name: tensor}}: ``valid`` bool (T,), False where the frame is padding;
      ``speed`` int64, the stride in frames, if the stride was drawn; poses float32 (T, V, 3) = x,
      y, score: x and y are fractions of the view's image (0..1 inside it), the score is 0..1 with
      0 = unknown; other targets as LoadTargets and the view's own transforms made them;
    - ``data_samples``: ActionDataSample with ``gt_label`` if the annotation has a label (-1 means
      none), and the ``meta_keys`` as meta information.

    Raises BrokenSampleError if a view or target contains a value that is not finite. Such
    coordinates of a joint with score 0 become 0 instead. Raises ConfigError for a mirrored view
    with sentences that may name left and right.

    Args:
        views: Names of the views to pack.
        label: Also pack the label as ``targets['sample']['label']`` int64, for supervised heads.
            It is off by default so that pre-training cannot read labels.
        video: Pack ``targets['sample']['video']`` int64, a number of the video (CRC-32 of the file
            name), for contrasts with several clips of a video.
    """

    meta_keys = ('filename', 'frame_dir', 'frame_inds', 'total_frames', 'replaced')

    def __init__(self, views: Sequence[str], label: bool = False, video: bool = False) -> None:
        self.views = tuple(views)
        self.label = label
        self.video = video

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        check_views(self, self.views, results['views'])
        _check_sides(self.views, results)
        inputs: dict[str, torch.Tensor] = {}
        targets: dict[str, dict[str, torch.Tensor]] = {}
        for view in self.views:
            frames = results['views'][view]
            is_video = isinstance(frames, list)
            inputs[view] = _pack_frames(frames) if is_video else _to_tensor(frames)
            view_targets = dict(results.get('targets', {}).get(view, {}))
            for name in targets_of_kind('pose', results, view):
                height, width = frames[0].shape[:2]
                pose = view_targets[name] / np.array([width, height, 1], np.float32)
                # The coordinates of an unseen joint are unused, and may be NaN.
                view_targets[name] = np.where((pose[..., 2:] == 0) & ~np.isfinite(pose), 0, pose)
            targets[view] = {name: _to_tensor(value) for name, value in view_targets.items()}

        by_name = {f'{v}.{n}': t for v, tensors in targets.items() for n, t in tensors.items()}
        for name, value in {**inputs, **by_name}.items():
            # In numpy: torch takes several times as long for tensors of this size.
            if value.is_floating_point() and not np.isfinite(value.numpy()).all():
                raise BrokenSampleError(str(results['filename']), f'its {name} is not finite')

        data_sample = ActionDataSample()
        label = int(results.get('label', -1))
        if label >= 0:
            data_sample.set_gt_label(label)
        if self.label:
            targets.setdefault('sample', {})['label'] = torch.tensor(label)
        if self.video:
            video = zlib.crc32(str(results['filename']).encode())
            targets.setdefault('sample', {})['video'] = torch.tensor(video)
        metainfo = {key: results[key] for key in self.meta_keys if key in results}
        data_sample.set_metainfo({'replaced': '', **metainfo})
        return {'inputs': inputs, 'targets': targets, 'data_samples': data_sample}


def check_views(transform: BaseTransform, views: Iterable[str], known: Collection[str]) -> None:
    """Raise KeyError if a transform asks for a view that the pipeline does not make."""
    for view in views:
        if view not in known:
            raise KeyError(
                f'{type(transform).__name__}: view {view!r} is not among {sorted(known)}; sample '
                'it, or take it out of views'
            )


def _check_sides(views: Iterable[str], results: Mapping[str, Any]) -> None:
    """Raise ConfigError for a mirrored view with sentences that may name left and right."""
    mirrored, sided = results.get('mirrored_views', ()), results.get('sided_views', ())
    for view in views:
        if view in mirrored and view in sided:
            raise ConfigError(
                f'a flip mirrors the view {view!r}, whose sentences may name left and right: '
                'leave the flip out, or give the sentences another view'
            )


def _to_tensor(value: Any) -> torch.Tensor:
    """Copy a value into a contiguous tensor; every float type becomes float32."""
    array = np.array(value, order='C')
    if array.dtype.kind == 'f':
        array = array.astype(np.float32, copy=False)
    return torch.from_numpy(array)


def targets_of_kind(kind: str, results: Mapping[str, Any], view: str) -> list[str]:
    """Names of a view's cached targets of one kind."""
    names = results.get('targets', {}).get(view, {})
    meta = results.get('target_meta', {})
    return [name for name in names if name in meta and meta[name].kind == kind]


def _pack_frames(frames: Sequence[np.ndarray]) -> torch.Tensor:
    """Join T arrays (H, W, 3) to a contiguous tensor (3, T, H, W)."""
    height, width = frames[0].shape[:2]
    packed = np.empty((3, len(frames), height, width), dtype=np.uint8)
    for position, frame in enumerate(frames):
        # Four times as quick as numpy's transposition of the stacked frames.
        for channel, plane in enumerate(cv2.split(frame)):
            packed[channel, position] = plane
    return torch.from_numpy(packed)
