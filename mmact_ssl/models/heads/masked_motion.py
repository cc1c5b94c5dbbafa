"""MAMP's prediction of the motion of masked joints."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.masked import PatchLoss
from mmact_ssl.models.masks import counted_places, to_grid
from mmact_ssl.models.networks.masked_decoder import MaskedDecoder
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead
from .terms import Terms, mean_term


@MODELS.register_module()
class MaskedMotionHead(PretextHead):
    """Predict the motion of masked joints in segments of a clip from its visible joints.

    With ``m_t = x_(t+1) - x_t`` the motion of a joint, 0 in the last frame, ``m_p`` that of all
    frames of a masked place p (a joint in a segment), normalized over the place, and ``y`` what a
    light transformer predicts from the student's map at visible places::

        loss = mean over masked p of  |y_p - m_p|^2 / values of a place

    As published (MAMP, Mao et al., arXiv 2308.07092, and its released code). It works with any
    student (our choice): one that reads whole views sees zeros at masked joints. Absent persons do
    not count, nor does a place whose joint is missing in one of its frames or in the frame after
    it: the jump from or to zero is no motion (our choice). The transform tells which joints are
    missing, because in the clip they look like a joint at the origin.

    Args:
        in_channels: Channels of the map.
        segment: Frames of a segment, as in MaskJointSegments.
        coordinates: The first C of the clip's values of a joint, whose motion is predicted.
        view: The masked view.
        hidden_dim, depth, num_heads: Size of the decoder; as published 256, 3 or 5, and 8.
        loss: A PatchLoss of predicted and real motions.
        inputs: Names of ``feature_map`` ``(B, M', C', T', V')``, of the whole ``clip``
            ``(B, M, T, V, C)``, of ``mask`` and ``known`` bool ``(B, M, S, V, 1)``, and of
            ``valid`` bool ``(B, M, T)``.
    """

    inputs = dict(
        feature_map='{view}.feature_map',
        clip='{view}',
        mask='targets.{view}.mask',
        known='targets.{view}.known',
        valid='targets.{view}.valid',
    )

    def __init__(
        self,
        in_channels: int,
        segment: int = 4,
        coordinates: int = 3,
        view: str = 'clip',
        hidden_dim: int = 256,
        depth: int = 3,
        num_heads: int = 8,
        loss: dict = dict(type='PatchLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg, view=view)
        self.segment = segment
        self.coordinates = coordinates
        values = segment * coordinates
        self.decoder = MaskedDecoder(in_channels, values, hidden_dim, depth, num_heads)

    def terms(
        self, feature_map: Tensor, clip: Tensor, mask: Tensor, known: Tensor, valid: Tensor
    ) -> Terms:
        """Compute the error of masked places, and that of a constant motion of each.

        Without gradients also ``coordinates`` ``(B, M, T, V, C)``: at masked places, the joint's
        real position in the first frame of the segment, moved by the predicted motion.
        """
        if clip.shape[2] != mask.shape[2] * self.segment:
            raise ConfigError(
                f'MaskedMotionHead: {self.inputs["mask"]} has {mask.shape[2]} segments in a clip '
                f'of {clip.shape[2]} frames: give MaskJointSegments segment={self.segment}'
            )
        clip = clip[..., : self.coordinates]
        motion = torch.zeros_like(clip)
        motion[:, :, :-1] = clip[:, :, 1:] - clip[:, :, :-1]
        places = self._split(motion).flatten(4)[..., None]  # (B, M, S, V, segment * C, 1)
        persons = clip.shape[1]
        prediction = self.decoder(*to_grid(feature_map, mask, True), persons)[..., None]
        weight = counted_places(mask & known, valid)[..., 0]  # (B, M, S, V)
        error = self.loss_module(prediction, places)
        constant = self.loss_module(torch.zeros_like(places), places)
        terms: Terms = dict(
            loss=mean_term(error, weight),
            mse=mean_term(error.detach(), weight),
            mse_constant=mean_term(constant, weight),
        )
        if self.needs_losses:
            return terms
        steps = cast(PatchLoss, self.loss_module).restore(prediction, places)[..., 0]
        steps = steps.unflatten(4, (self.segment, -1))
        real = self._split(clip)  # (B, M, S, V, segment, C)
        before = torch.cat([torch.zeros_like(steps[..., :1, :]), steps[..., :-1, :]], dim=4)
        moved = real[..., :1, :] + before.cumsum(4)
        drawn = real.where(~mask[..., None], moved)
        return dict(**terms, coordinates=drawn.transpose(3, 4).flatten(2, 3))

    def _split(self, values: Tensor) -> Tensor:
        """``(B, M, T, V, C)`` to ``(B, M, S, V, segment, C)``."""
        return values.unflatten(2, (-1, self.segment)).transpose(3, 4)
