"""Transforms that describe the motion of a clip beside the frames that a student reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.motion import describe_clip, describe_pair, pair_frames
from mmact_ssl.datasets.transforms.reading import once, read_frames
from mmact_ssl.registry import TRANSFORMS

RATE = 30  # frames a second of arrays in memory


@TRANSFORMS.register_module()
class SampleMotion(BaseTransform):
    """Choose pairs of frames, evenly spread over a clip, for ``DescribeMotion``.

    Required keys: ``frame_inds``, ``total_frames``, ``start_index``; optional ``seconds`` of the
    video's frames, else there are RATE in a second. Modified keys: ``frame_inds``, which the pairs
    are appended to. Added keys: ``motion_seconds`` float64 (P,), between the frames of each pair.

    Args:
        num_pairs: Number of pairs; a clip with fewer gives all.
    """

    def __init__(self, num_pairs: int) -> None:
        self.num_pairs = num_pairs

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        start, total = results['start_index'], results['total_frames']
        seconds = results.get('seconds', np.arange(start + total) / RATE)[start : start + total]
        pairs = np.unique(pair_frames(seconds), axis=0)
        count = min(self.num_pairs, len(pairs))
        pairs = pairs[np.linspace(0, len(pairs) - 1, count).round().astype(int)]
        results['motion_seconds'] = np.diff(seconds[pairs], axis=1)[:, 0]
        results['frame_inds'] = np.append(results['frame_inds'], start + pairs)
        return results


@TRANSFORMS.register_module()
class DescribeMotion(BaseTransform):
    """Describe the motion in the frames of ``SampleMotion``, before ``DecodeFrames`` shrinks them.

    Required keys: as of ``DecodeFrames``, and ``motion_seconds``. Modified keys: ``frame_inds``
    loses these frames. Added keys: ``motion`` float32 (768,), see :func:`describe_clip`; ``array``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames, seconds = read_frames(results), results['motion_seconds']
        others, numbers = np.split(results['frame_inds'], [-2 * len(seconds)])
        pairs = {(a, b): (frames[a], frames[b]) for a, b in numbers.reshape(-1, 2).tolist()}
        described = once(results, 'pairs', pairs, lambda pair: describe_pair(*pair))
        results.update(frame_inds=others, motion=describe_clip([*described.values()], seconds))
        return results
