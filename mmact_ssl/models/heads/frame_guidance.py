"""Guidance of a student by a frozen teacher, frame by frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, cosine_similarity

from mmact_ssl.models.necks.target_pooling import RunningStandardizer
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead
from .terms import Terms, mean_term


@MODELS.register_module()
class FrameGuidanceHead(PretextHead):
    """Agree with an image teacher on each frame of a clip.

    With ``s_t`` the mean of the student's map at time t over its positions, ``z_t`` the teacher's
    embedding of that frame, standardized (:class:`RunningStandardizer`), and ``r`` a linear map::

        loss = mean over valid t of  1 - cos(r(s_t), z_t)

    Targets of frames give few videos many more targets than targets of clips. DTG-Net as published
    compares clips; comparing frames is our choice.

    Args:
        in_channels: Channels of the map.
        channels: Channels of the teacher's embedding.
        inputs: Names of ``feature_map`` ``(B, C, T', H', W')``, ``target`` ``(B, T, D)`` and
            ``valid``, bool ``(B, T)``. If the student has fewer frames, ``T' < T``, the target is
            averaged over the frames of each of its frames.
    """

    inputs = dict(
        feature_map='clip.feature_map', target='targets.clip.imagenet', valid='targets.clip.valid'
    )

    def __init__(
        self,
        in_channels: int,
        channels: int,
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, init_cfg=init_cfg)
        self.standardizer = RunningStandardizer(channels)
        self.reader = nn.Linear(in_channels, channels)

    def terms(self, feature_map: Tensor, target: Tensor, valid: Tensor) -> Terms:
        """Compute the loss and the mean cosine; 0 is the cosine of the mean embedding."""
        frames = feature_map.flatten(3).mean(3).transpose(1, 2)  # (B, T', C)
        weight = valid.to(frames.dtype)[:, None]  # (B, 1, T)
        steps = frames.shape[1]
        share = adaptive_avg_pool1d(weight, steps)
        target = adaptive_avg_pool1d(target.detach().float().transpose(1, 2) * weight, steps)
        target = (target / share.clamp(min=1e-6)).transpose(1, 2).flatten(0, 1)  # (B*T', D)
        counts = share[:, 0] > 0  # (B, T')
        standardized = self.standardizer(target, counts.flatten())
        predicted = self.reader(frames.flatten(0, 1))
        cosine = cosine_similarity(predicted, standardized).view_as(counts)
        return dict(
            loss=mean_term(1 - cosine, counts),
            cosine=mean_term(cosine.detach(), counts),
            cosine_constant=mean_term(torch.zeros_like(cosine), counts),
        )
