"""Reading of a video in mmaction2's pipelines with the video reader of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmact_ssl.datasets.video_reader import VideoReader
from mmact_ssl.errors import import_extra
from mmact_ssl.io.files import reading
from mmact_ssl.io.hf_folder import FIX, PROCESSORS, SAFE
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ReadVideo(BaseTransform):
    """Open a video for ``DecodeFrames``, in place of mmaction2's ``DecordInit``.

    A sample with frames in memory, ``array`` uint8 (T, H, W, 3) RGB and ``total_frames``, stays as
    it is.

    Required keys: ``filename``. Added keys: ``total_frames``; ``seconds``, the times of frames;
    ``avg_fps``, mean frames per second; ``known``, see :func:`once`; ``video_reader``, which
    ``DecodeFrames`` closes and removes.

    Raises:
        BrokenSampleError: The video is missing, unreadable or has no frames.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'array' not in results:
            reader = VideoReader(results['filename'])
            total = reader.total_frames
            results.update(total_frames=total, seconds=reader.seconds, known={})
            results.update(avg_fps=total / reader.duration, video_reader=reader)
        return results


@TRANSFORMS.register_module()
class DecodeFrames(BaseTransform):
    """Decode the frames that ``SampleFrames`` chose, each once, in one pass.

    Larger frames are averaged down to ``short_side``: pre-training (``DecodeViews``) averages all
    pixels, and ``Resize`` of mmaction2, which comes next, skips pixels of large frames. It still
    skips a few of smaller frames. A pipeline that resizes to more needs a larger ``short_side``.

    Required keys: ``frame_inds``, and ``video_reader`` or ``array``, both removed. Added keys:
    ``imgs``, a list of RGB uint8 arrays (H, W, 3) that share no memory; ``original_shape`` and
    ``img_shape`` (H, W).

    Args:
        short_side: Largest short side of a frame in pixels; None keeps all sizes.

    Raises:
        BrokenSampleError: A frame cannot be decoded.
    """

    def __init__(self, short_side: int | None = 256) -> None:
        self.short_side = short_side

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        indices, frames = results['frame_inds'].ravel(), read_frames(results)
        height, width = frames[indices[0]].shape[:2]
        factor = (self.short_side or height) / min(height, width)
        if factor < 1:
            size = round(width * factor), round(height * factor)
            shrink = partial(mmcv.imresize, size=size, interpolation='area')
            frames = once(results, 'frames', {i: frames[i] for i in indices.tolist()}, shrink)
        results['imgs'] = imgs = copy_frames(frames, indices)
        results.update(dict.fromkeys(('original_shape', 'img_shape'), imgs[0].shape[:2]))
        del results['array']  # full frames need more memory than all that follows
        return results


@TRANSFORMS.register_module()
class ProcessFrames(BaseTransform):
    """Prepare clips by transformers, as the files of a network describe.

    Required keys: ``imgs``, ``num_clips``. Modified keys: ``imgs``, which becomes float32
    ``(num_clips, 3, T, h, w)``. Added keys: ``input_shape``.
    """

    def __init__(self, folder: str) -> None:
        transformers = import_extra('transformers', folder)
        self.is_video = Path(folder, PROCESSORS[0]).is_file()
        kind = 'AutoVideoProcessor' if self.is_video else 'AutoImageProcessor'
        with reading(folder, FIX):
            self.process = getattr(transformers, kind).from_pretrained(folder, **SAFE)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = self.prepare(np.stack(results['imgs']))
        clips = frames.unflatten(0, (results['num_clips'], -1)).transpose(1, 2).contiguous()
        results.update(imgs=clips.numpy(), input_shape=tuple(clips.shape))
        return results

    def prepare(self, frames: np.ndarray) -> Tensor:
        """Prepare frames, uint8 ``(T, H, W, 3)``: float32 ``(T, 3, h, w)``."""
        options: dict[str, Any] = dict(return_tensors='pt', input_data_format='channels_last')
        if self.is_video:
            options.update(do_sample_frames=False)
        (values,) = self.process([frames] if self.is_video else [*frames], **options).values()
        return torch.as_tensor(values).flatten(0, -4)  # (1, T, ...), or (T, ...) of images


def read_frames(results: dict[str, Any]) -> Mapping[int, np.ndarray] | np.ndarray:
    """Frames in memory, or the chosen ones of a video, which become ``array``."""
    if 'array' not in results:
        with results.pop('video_reader') as reader:
            results['array'] = reader.read(results['frame_inds'].ravel())
    return results['array']


def once(
    results: Mapping[str, Any], name: str, inputs: Mapping[Any, Any], compute: Callable[[Any], Any]
) -> dict[Any, Any]:
    """Compute values of a window's frames or pairs, but those of the window before, by key.

    The windows of a video share ``known``, {name: values of the last window}.
    """
    windows = results.get('known', {})
    known = windows.get(name, {})
    windows[name] = {k: known[k] if k in known else compute(v) for k, v in inputs.items()}
    return windows[name]


def copy_frames(
    frames: Mapping[int, np.ndarray] | np.ndarray, frame_inds: np.ndarray
) -> list[np.ndarray]:
    """Copy frames, since flips work in place and a frame may occur several times."""
    return [frames[index].copy() for index in frame_inds.tolist()]
