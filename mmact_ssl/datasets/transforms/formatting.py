"""Packing the views and targets of a sample."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackPretextInputs(BaseTransform):
    """Pack views and their targets into tensors.

    Required keys: ``views``, ``valid``; optional ``poses`` (pixels), ``target_meta`` and the
    targets that it names, ``target_valid``, ``speed``, ``label``, ``filename``, ``frame_inds``,
    ``total_frames``, ``replaced``.

    Returns a dict of

    - ``inputs`` {view: uint8 tensor [C=3, T, H, W], RGB};
    - ``targets`` {``<view>_valid``: bool tensor [T], False where the frame is padding;
      ``<view>_pose``: float32 tensor [T, V, 3] = x, y, score, x and y as fractions of the view's
      image (0..1 inside, others outside), score 0..1, 0 = unknown;
      ``<view>_<target>``: float32 tensor of any other target, see LoadTargetCache;
      ``<view>_<target>_valid``: bool scalar, of a target that may be missing;
      ``<view>_speed``: int64 scalar, the stride in frames, of views whose stride was drawn;
      ``label``: int64 scalar, -1 = none, only if asked for;
      ``video``: int64 scalar that tells videos apart (CRC-32 of the file name), only if asked for};
    - ``data_samples``: ActionDataSample with ``gt_label`` if the annotation has one (a label of -1
      is none), and the rest as meta information.

    Args:
        views: Names of the views to pack.
        label: Pack the label as a target too, for supervised heads. Off, so that pre-training
            can't read it.
        video: Pack the number of the video, for contrasts with several clips of a video.

    Raises:
        KeyError: A view is not there.
    """

    meta_keys = ('filename', 'frame_inds', 'total_frames', 'replaced')

    def __init__(self, views: Sequence[str], label: bool = False, video: bool = False) -> None:
        if isinstance(views, str) or not views:
            raise ConfigError(f'PackPretextInputs: views must be a list of names, not {views!r}')
        self.views = tuple(views)
        self.label = label
        self.video = video

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        inputs: dict[str, torch.Tensor] = {}
        targets: dict[str, torch.Tensor] = {}
        for view in self.views:
            if view not in results['views']:
                raise KeyError(
                    f'PackPretextInputs: view {view!r} is not among the decoded views '
                    f'{sorted(results["views"])}'
                )
            frames = results['views'][view]
            inputs[view] = _to_tensor(frames)
            targets[f'{view}_valid'] = torch.from_numpy(results['valid'][view].copy())
            if view in results.get('poses', {}):
                height, width = frames[0].shape[:2]
                pose = results['poses'][view] / np.array([width, height, 1], dtype=np.float32)
                targets[f'{view}_pose'] = torch.from_numpy(pose.astype(np.float32))
            if view in results.get('speed', {}):
                targets[f'{view}_speed'] = torch.tensor(results['speed'][view])
        targets.update(pack_targets(results, self.views))

        data_sample = ActionDataSample()
        label = results.get('label', -1)
        if not (isinstance(label, int) and label < 0):
            data_sample.set_gt_label(label)
        if self.label:
            targets['label'] = torch.tensor(label)
        if self.video:
            targets['video'] = torch.tensor(zlib.crc32(str(results['filename']).encode()))
        metainfo = {key: results[key] for key in self.meta_keys if key in results}
        data_sample.set_metainfo({'replaced': '', **metainfo})
        return {'inputs': inputs, 'targets': targets, 'data_samples': data_sample}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(views={self.views}, label={self.label}, video={self.video})'


def pack_targets(results: dict[str, Any], views: Sequence[str]) -> dict[str, torch.Tensor]:
    """Pack what LoadTargetCache has put beside the views: ``<view>_<target>``, ``..._valid``."""
    targets: dict[str, torch.Tensor] = {}
    for target in results.get('target_meta', {}):
        valid = results.get('target_valid', {}).get(target, {})
        for view in views:
            if view in results[target]:
                value = np.ascontiguousarray(results[target][view], dtype=np.float32)
                targets[f'{view}_{target}'] = torch.from_numpy(value)
            if view in valid:
                targets[f'{view}_{target}_valid'] = torch.tensor(valid[view])
    return targets


def _to_tensor(frames: Sequence[np.ndarray]) -> torch.Tensor:
    """T arrays [H, W, 3] to a contiguous tensor [3, T, H, W]."""
    height, width = frames[0].shape[:2]
    packed = np.empty((3, len(frames), height, width), dtype=np.uint8)
    for position, frame in enumerate(frames):
        # Four times as quick as letting numpy transpose the stacked frames.
        for channel, plane in enumerate(cv2.split(frame)):
            packed[channel, position] = plane
    return torch.from_numpy(packed)
