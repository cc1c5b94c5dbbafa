"""Distillation of human parsing from a teacher."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term, Terms, known_term, mean_term
from mmact_ssl.models.losses.part_map_divergence import as_distribution, part_logits, part_overlap
from mmact_ssl.models.networks.part_decoder import PartDecoder
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ParsingDistillationHead(PretextHead):
    """Predict the parts of the person in each frame like a parsing teacher.

    With ``d`` the loss of a pixel and ``w = 1 + (person_weight - 1) * (1 - background)`` of the
    teacher::

        loss = sum of w * d / sum of w,   over the pixels that count

    A pixel does not count if it lies outside the frame, if its frame is padding, or if the teacher
    finds no person in the frame. The teacher finds a person if at least ``min_person`` of the
    pixels are more likely a person than background. A video without a person has no loss.

    The distillation of a parser is HCPG's (arXiv 2204.12729); decoder, weights and this rule are
    our choice. The decoder starts with the probability ``background_share``, like the detector of
    Lin et al. (arXiv 1708.02002, section 3.3); otherwise hundreds of steps only teach how rare a
    person is.

    Args:
        num_parts: Channels C of the part maps: the background first, or 1, only the person.
        map_size: (h, w) of the part maps, the ``map_size`` of TransformViews.
        adapter: Input of the view: ``'feature_map'`` or the name of an adapter.
        frames_per_step: Frames of the clip for a step of the map.
        inputs: Names of ``features`` ``(B, C', T', H', W')``, the teacher's ``parts``
            ``(B, T, C, h, w)`` in 0..1, and ``valid`` bool ``(B, T)``.

    Attributes:
        person_weight: Weight of a person's pixel; the background has weight 1.
        min_person: Smallest share of a frame that is a person, 0..1.
        background_share: Probability of the background before training, at the loss's temperature;
            the parts share the rest equally.
    """

    person_weight, min_person, background_share = 5.0, 0.01, 0.9
    inputs = dict(features='clip.{adapter}', parts='targets.clip.parts', valid='targets.clip.valid')

    def __init__(
        self,
        in_channels: int,
        num_parts: int,
        map_size: Sequence[int],
        adapter: str = 'feature_map',
        frames_per_step: int = 8,
        hidden_dim: int = 64,
        loss: dict = dict(type='PartMapDivergenceLoss', temperature=2.0),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg, adapter=adapter)
        self.map_size = tuple(map_size)
        odds = self.background_share / (1 - self.background_share) * max(num_parts - 1, 1)
        self.decoder = PartDecoder(
            in_channels,
            num_parts,
            frames_per_step,
            hidden_dim,
            background_logit=loss.get('temperature', 1.0) * math.log(odds),
        )

    def terms(self, features: Tensor, parts: Tensor, valid: Tensor) -> Terms:
        """Compute the divergence, the overlap, the share of frames that count, and part maps."""
        size = (parts.shape[1], *self.map_size)
        logits = self.decoder(features, size).float()  # (B, T, C, h, w)
        if parts.shape != logits.shape:
            raise ConfigError(
                f'ParsingDistillationHead: {self.inputs["parts"]} is {list(parts.shape[1:])} '
                f'(frames, parts, height, width), expected is {list(logits.shape[1:])}: correct '
                'num_parts or map_size of the head, map_size of TransformViews, or the teacher'
            )
        teacher = as_distribution(parts.detach().float())  # (B, T, max(C, 2), h, w)
        known = teacher.sum(2) > 0  # (B, T, h, w)
        person = (teacher[:, :, 0] < 0.5) & known
        has_person = person.float().mean((2, 3)) >= self.min_person  # (B, T)
        valid_pixels = known & (has_person & valid)[..., None, None]
        weight = 1 + (self.person_weight - 1) * (1 - teacher[:, :, 0])
        overlap = part_overlap(part_logits(logits), teacher, valid_pixels)  # (B,)
        maps = logits.sigmoid() if logits.shape[2] == 1 else logits.softmax(2)
        shared = (teacher * valid_pixels[:, :, None]).sum((0, 1))  # one map for all frames
        constant = part_overlap(shared.expand_as(teacher), teacher, valid_pixels)
        return dict(
            loss=mean_term(self.loss_module(logits, teacher), weight * valid_pixels),
            mean_iou=known_term(overlap),
            mean_iou_constant=known_term(constant),
            valid_fraction=Term(valid_pixels.any(3).any(2).float().mean()),
            maps=maps,
        )
