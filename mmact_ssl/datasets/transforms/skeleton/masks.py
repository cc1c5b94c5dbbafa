"""Masks of the joints of a skeleton clip in segments of time."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmact_ssl.datasets.transforms.masks import check_ratio, draw_mask
from mmact_ssl.datasets.transforms.skeleton.joints import known_joints, num_valid_frames
from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MaskJointSegments(BaseTransform):
    """Draw which joints the student does not see in which segments of a clip.

    The clip stays as it is: heads predict it, and a momentum encoder reads it whole. The student
    leaves the masked joints out, or reads zeros there, see
    :func:`mmact_ssl.models.encoding.encode_view`. It goes into a view's list of MakeSkeletonViews.

    Required keys: ``keypoint``; optional ``valid_frames``. Added keys, both bool (M, S, V, 1) for S
    segments: ``targets['mask']``, True where masked; each person has as many masked places. And
    ``targets['known']``, False where the motion of a joint is unknown: the joint is missing in a
    frame of the segment or in the frame after it, see joints.known_joints.

    Args:
        segment: Frames of a segment.
        ratio: Share of masked places, 0 < ratio < 1. The number is rounded down, and at least one
            place stays visible.
        temperature: Moving joints are drawn with a weight of ``exp(a / (temperature * max a))``,
            with ``a`` the mean absolute change of a joint's coordinates since the segment before,
            and the maximum over all places of the person. A change from or to a frame without the
            joint counts as 0 (our choice). None: all places alike.

    Raises:
        ConfigError: The clip is not a whole number of segments.

    Source: MAMP (Mao et al., arXiv 2308.07092) and its released code. SkeletonMAE masks without
    the weights.
    """

    def __init__(
        self, segment: int = 4, ratio: float = 0.9, temperature: float | None = None
    ) -> None:
        self.segment = segment
        self.ratio = check_ratio(self, ratio)
        self.temperature = temperature

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = num_valid_frames(results)
        if frames % self.segment:
            raise ConfigError(
                f'MaskJointSegments: the clip has {frames} frames, not a multiple of '
                f'segment={self.segment}: put ResampleFrames or TemporalCrop with such a '
                'num_frames before it'
            )
        keypoint, known = results['keypoint'][:, :frames], known_joints(results)[:, :frames]
        persons, _, joints, coordinates = keypoint.shape
        segments = frames // self.segment
        split = (persons, segments, self.segment, joints)
        preference = np.zeros((persons, segments * joints))
        if self.temperature is not None and segments > 1:
            change = np.abs(np.diff(keypoint.reshape(*split, coordinates), axis=1))
            there = known.reshape(split)
            change *= (there[:, 1:] & there[:, :-1])[..., None]
            change = change.mean(axis=(2, 4))  # (M, S - 1, V)
            change = np.concatenate([change[:, :1], change], axis=1).reshape(persons, -1)
            largest = change.max(axis=1, keepdims=True)
            preference = change / (self.temperature * largest + 1e-10)
        mask = [draw_mask(segments * joints, self.ratio, own) for own in preference]
        moves = known.copy()  # the last frame has no motion
        moves[:, :-1] &= known[:, 1:]
        results.setdefault('targets', {}).update(
            mask=np.stack(mask).reshape(persons, segments, joints, 1),
            known=moves.reshape(split).all(axis=2)[..., None],
        )
        return results
