"""Reading a video in pipelines of mmaction2's form, by the reader of pre-training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ReadVideo(BaseTransform):
    """Open a video for ``DecodeFrames``, in the place of mmaction2's ``DecordInit``.

    Frames in memory, ``array`` uint8 (T, H, W, 3) RGB with their ``total_frames``, need no opening.

    Required keys: ``filename``. Added keys: ``total_frames``; ``avg_fps``, frames per second in the
    mean; ``video_reader``, which ``DecodeFrames`` uses up.

    Raises:
        BrokenSampleError: The video is missing, unreadable or has no frames.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'array' not in results:
            reader = VideoReader(results['filename'])
            total = reader.total_frames
            rate = total / reader.duration
            results.update(total_frames=total, avg_fps=rate, video_reader=reader)
        return results


@TRANSFORMS.register_module()
class DecodeFrames(BaseTransform):
    """Decode the frames that ``SampleFrames`` has chosen, each once, in one pass.

    Required keys: ``frame_inds``, and ``video_reader`` (removed) or ``array``. Added keys:
    ``imgs``, a list of RGB uint8 arrays (H, W, 3) that share no memory; ``original_shape`` and
    ``img_shape`` (H, W).

    Raises:
        BrokenSampleError: A frame cannot be decoded.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'array' in results:
            return put_frames(results, results['array'])
        return put_frames(results, read_frames(results, results['frame_inds'].ravel()))


def read_frames(
    results: dict[str, Any], frame_inds: np.ndarray, short_side: int | None = None
) -> dict[int, np.ndarray]:
    """Decode frames by ``results['video_reader']``, which is removed and closed."""
    with results.pop('video_reader') as reader:
        return reader.read(frame_inds, short_side)


def put_frames(
    results: dict[str, Any], frames: Mapping[int, np.ndarray] | np.ndarray
) -> dict[str, Any]:
    """Add the chosen ones of decoded frames, as mmaction2's decoders do."""
    imgs = copy_frames(frames, results['frame_inds'].ravel())
    shape = imgs[0].shape[:2]
    results.update(imgs=imgs, original_shape=shape, img_shape=shape)
    return results


def copy_frames(
    frames: Mapping[int, np.ndarray] | np.ndarray, frame_inds: np.ndarray
) -> list[np.ndarray]:
    """Copy frames in this order: flips work in place, and a frame may be in several places."""
    return [frames[index].copy() for index in frame_inds.tolist()]
