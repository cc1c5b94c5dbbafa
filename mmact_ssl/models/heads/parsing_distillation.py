"""Human parsing, distilled from a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses import (
    as_distribution,
    global_mean,
    part_logits,
    part_map_divergence,
    part_overlap,
)
from mmact_ssl.models.networks.part_decoder import PartDecoder
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class ParsingDistillationHead(PretextHead):
    """Tell the parts of the person in each frame as a parsing teacher does.

    With ``d`` the divergence of a pixel (:func:`part_map_divergence`) and ``w = 1 + (person_weight
    - 1) * (1 - background)`` of the teacher::

        loss = sum of w * d / sum of w,   over the pixels that count

    A pixel counts unless it lies outside the frame, its frame only fills up the clip, or the
    teacher finds nobody in the frame: fewer than ``min_person`` of the pixels are rather a person
    than not. A video without anybody therefore has no loss. That a parser is distilled is HCPG's
    (arXiv 2204.12729); decoder, weights and this rule are our choice.

    Args:
        in_channels: Channels of the map that is read.
        num_parts: Channels C of the part maps: the background first, or 1, the person alone.
        map_size: (h, w) of the part maps, the ``map_size`` of TransformViews.
        adapter: What is read of the view: ``'feature_map'`` or the name of an adapter.
        frames_per_step: Frames of the clip for a step of the map.
        hidden_dim, stages: Of the decoder.
        temperature: ``> 0``.
        person_weight: Weight of a person's pixel, that of the background is 1.
        min_person: Share of a frame, 0..1.
        view: Of which the parts are told.
        reads: Argument -> source, where that is not the view's.
    """

    def __init__(
        self,
        in_channels: int,
        num_parts: int,
        map_size: Sequence[int],
        adapter: str = 'feature_map',
        frames_per_step: int = 8,
        hidden_dim: int = 64,
        stages: int = 2,
        temperature: float = 2.0,
        person_weight: float = 5.0,
        min_person: float = 0.01,
        view: str = 'clip',
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        usual = dict(features=f'{view}.{adapter}', parts=f'{view}_parts', valid=f'{view}_valid')
        super().__init__({**usual, **(reads or {})}, init_cfg)
        self.num_parts = num_parts
        self.map_size = tuple(map_size)
        self.temperature = temperature
        self.person_weight = person_weight
        self.min_person = min_person
        self.decoder = PartDecoder(in_channels, num_parts, frames_per_step, hidden_dim, stages)

    def loss(self, features: Tensor, parts: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """The weighted divergence, the mean overlap, and the share of frames that count.

        Args:
            features: ``[B, C', T', H', W']``.
            parts: The teacher's maps, ``[B, T, C, h, w]``, 0..1.
            valid: bool ``[B, T]``.

        Raises:
            ConfigError: The maps have another size, another number of parts or of frames.
        """
        logits, teacher, counted = self._compare(features, parts, valid)
        weight = 1 + (self.person_weight - 1) * (1 - teacher[:, :, 0])  # (B, T, h, w)
        divergence = part_map_divergence(logits, teacher, self.temperature)
        overlap = part_overlap(part_logits(logits), teacher, counted)
        return dict(
            loss=global_mean(divergence, weight * counted),
            mean_iou=overlap.nanmean(),
            counted=counted.any(3).any(2).float().mean(),
        )

    def predict(self, features: Tensor, parts: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """The student's part maps ``[B, T, C, h, w]``, and ``[B]`` its mean overlap, 0..1."""
        logits, teacher, counted = self._compare(features, parts, valid)
        maps = logits.sigmoid() if self.num_parts == 1 else logits.softmax(2)
        return dict(maps=maps, mean_iou=part_overlap(part_logits(logits), teacher, counted))

    def _compare(
        self, features: Tensor, parts: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, the teacher's distribution, and which pixels count, bool ``[B, T, h, w]``."""
        expected = (valid.shape[1], self.num_parts, *self.map_size)
        if tuple(parts.shape[1:]) != expected:
            raise ConfigError(
                f'ParsingDistillationHead: {self.reads["parts"]} is {list(parts.shape[1:])} '
                f'(frames, parts, height, width), but {list(expected)} is expected: correct '
                'num_parts or map_size of the head, map_size of TransformViews, or the teacher'
            )
        teacher = as_distribution(parts.detach().float())
        known = teacher.sum(2) > 0  # (B, T, h, w)
        person = (teacher[:, :, 0] < 0.5) & known
        found = person.float().mean((2, 3)) >= self.min_person  # (B, T)
        counted = known & (found & valid)[..., None, None]
        size = (valid.shape[1], *self.map_size)
        return self.decoder(features, size).float(), teacher, counted
