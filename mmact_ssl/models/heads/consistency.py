"""Contrast of clips that are alike in appearance, or in motion."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses import (
    gather,
    gather_with_gradient,
    global_mean,
    multi_positive_info_nce,
)
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.momentum.queue import FeatureQueue
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead

CONSISTENCIES = ('appearance', 'motion')


@MODELS.register_module()
class ConsistencyHead(PretextHead):
    """Contrast two clips a video, drawn at speeds of their own, with the clips of other videos.

    ================  ================================  =====================================
    ``consistency``   positive                          negative
    ================  ================================  =====================================
    ``'appearance'``  same video                        another video
    ``'motion'``      another video at the same speed   another speed, the own video included
    ================  ================================  =====================================

    by :func:`multi_positive_info_nce`. What is neither, such as a clip of the own video at the same
    speed for motion, takes no part; nor do clips with padded frames for motion, for they stand
    still. HCPG (arXiv 2204.12729) asks for appearance and motion consistency among videos; the two
    speeds are the idea of RSPNet (arXiv 2011.07949), this form of the loss is our choice.

    Without a queue both clips are encoded by the student and each is contrasted with all clips of
    the batch; for appearance that is :func:`nt_xent` without self-similarity. With a queue (MoCo,
    arXiv 1911.05722) the first clip is contrasted with the momentum encoder's keys of the second
    ones, of this batch and of earlier ones; keys of its own video in the queue take no part (our
    choice: MoCo has no negatives from this batch, and cannot tell videos apart).

    Args:
        in_channels: Channels of the maps.
        consistency: ``'appearance'`` or ``'motion'``.
        adapter: What is read of the views: ``'feature_map'`` or the name of an adapter.
        queue_size: Keys to keep; 0: none, contrast in the batch.
        momentum: Of the projector's copy, used with a queue only.
        temperature: ``> 0``.
        hidden_dim, embedding_dim: Sizes of the projector, whose output is normalized over the
            batch: a task that is hard at first, as motion is, would else put all clips in one
            point, from where hardly a gradient leads away.
        reads: Argument -> source, where that is not of ``clip`` (query) or ``other`` (key).

    Raises:
        ConfigError: An unknown consistency or a negative size of the queue.
    """

    def __init__(
        self,
        in_channels: int,
        consistency: str,
        adapter: str = 'feature_map',
        queue_size: int = 0,
        momentum: float = 0.999,
        temperature: float = 0.1,
        hidden_dim: int = 512,
        embedding_dim: int = 128,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        if consistency not in CONSISTENCIES or queue_size < 0:
            raise ConfigError(
                f'ConsistencyHead: consistency={consistency!r}, queue_size={queue_size}; use one '
                f'of {CONSISTENCIES} and a size of 0 or more'
            )
        key = f'clip_b.momentum_{adapter}' if queue_size else f'clip_b.{adapter}'
        usual = dict(query=f'clip.{adapter}', key=key, video='video')
        if consistency == 'motion':
            for name, view in (('query', 'clip'), ('key', 'clip_b')):
                usual.update({f'{name}_{what}': f'{view}_{what}' for what in ('speed', 'valid')})
        super().__init__({**usual, **(reads or {})}, init_cfg)
        self.consistency = consistency
        self.temperature = temperature
        self.projector = make_projector(in_channels, hidden_dim, embedding_dim, center=True)
        self.momentum_projector: Optional[MomentumCopy] = None
        self.queue: Optional[FeatureQueue] = None
        if queue_size:
            self.momentum_projector = MomentumCopy(self.projector, momentum)
            self.queue = FeatureQueue(queue_size, embedding_dim, labels=3)

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        if self.momentum_projector is None:
            return []
        return [(self.momentum_projector, self.projector)]

    def loss(
        self, query: Tensor, key: Tensor, video: Tensor, **labels: Tensor
    ) -> dict[str, Tensor]:
        """The contrast, how often the most similar clip is right, and what share of rows counts.

        Args:
            query, key: ``[B, C, T, H, W]``, maps of the two clips.
            video: int64 ``[B]``, equal for clips of one video.
            labels: For motion ``query_speed``, ``key_speed``, int64 ``[B]``, and ``query_valid``,
                ``key_valid``, bool ``[B, T]``.
        """
        of_query = clip_labels(video, labels.get('query_speed'), labels.get('query_valid'))
        of_key = clip_labels(video, labels.get('key_speed'), labels.get('key_valid'))
        if self.queue is None:
            terms = self._in_batch(query, key, of_query, of_key)[0]
        else:
            keys = self._momentum_keys(key)
            terms = self._against_queue(self._project(query), keys, of_query, of_key)
            if self.training:
                self.queue.enqueue(keys, of_key)
        weight = terms['weight']
        return dict(
            loss=global_mean(terms['loss'], weight),
            accuracy=terms['hit'].sum() / weight.sum().clamp(min=1),
            counted=weight.mean(),
        )

    def predict(
        self, query: Tensor, key: Tensor, video: Tensor, **labels: Tensor
    ) -> dict[str, Tensor]:
        """Projection of the first clip ``[B, E]``; hits ``[B]``, 0..1, in the batch, no queue.

        NaN for clips without a positive or a negative.
        """
        of_query = clip_labels(video, labels.get('query_speed'), labels.get('query_valid'))
        of_key = clip_labels(video, labels.get('key_speed'), labels.get('key_valid'))
        if self.queue is None:
            terms, projected = self._in_batch(query, key, of_query, of_key)
        else:
            projected = self._project(query)
            keys = self._momentum_keys(key)
            positive, negative = self._relations(of_query, gather(of_key))
            terms = multi_positive_info_nce(
                projected, gather(keys), positive, negative, self.temperature
            )
        hit = terms['hit'][: len(video)]
        known = terms['weight'][: len(video)] > 0
        return dict(projection=projected, accuracy=hit.masked_fill(~known, float('nan')))

    def _project(self, features: Tensor) -> Tensor:
        return self.projector(features.flatten(2).mean(2))

    @torch.no_grad()
    def _momentum_keys(self, key: Tensor) -> Tensor:
        assert self.momentum_projector is not None
        return self.momentum_projector(key.flatten(2).mean(2))

    def _in_batch(
        self, query: Tensor, key: Tensor, of_query: Tensor, of_key: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Terms ``[2 * B]`` of both clips against both clips of all videos; ``[B, E]``."""
        # One view after the other: their batch statistics stay apart.
        own = torch.stack([self._project(query), self._project(key)])  # (2, B, E)
        own_labels = torch.stack([of_query, of_key])  # (2, B, 3)
        everyone, start = gather_with_gradient(own.transpose(0, 1))  # (W*B, 2, E)
        all_labels = gather(own_labels.transpose(0, 1)).transpose(0, 1)  # (2, W*B, 3)
        positive, negative = self._relations(own_labels.flatten(0, 1), all_labels.flatten(0, 1))
        row = torch.arange(start, start + len(query), device=own.device)
        itself = torch.stack([row, row + len(everyone)]).flatten()[:, None]  # (2*B, 1)
        terms = multi_positive_info_nce(
            own.flatten(0, 1),
            everyone.transpose(0, 1).flatten(0, 1),
            positive.scatter(1, itself, False),
            negative,
            self.temperature,
        )
        return terms, own[0]

    def _against_queue(
        self, projected: Tensor, keys: Tensor, of_query: Tensor, of_key: Tensor
    ) -> dict[str, Tensor]:
        """Terms ``[B]`` of the first clips against the keys of this batch and of the queue."""
        queue = self.queue
        assert queue is not None
        positive, negative = self._relations(of_query, gather(of_key))
        old_positive, old_negative = self._relations(of_query, queue.labels)
        if self.consistency == 'appearance':
            old_positive = torch.zeros_like(old_positive)  # made by weights of long ago
        return multi_positive_info_nce(
            projected,
            torch.cat([gather(keys.float()), queue.features]),
            torch.cat([positive, old_positive & queue.filled], dim=1),
            torch.cat([negative, old_negative & queue.filled], dim=1),
            self.temperature,
        )

    def _relations(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Which columns are positive and negative for each row, from their labels, bool [N, M]."""
        same_video = rows[:, None, 0] == columns[:, 0]
        if self.consistency == 'appearance':
            return same_video, ~same_video
        same_speed = rows[:, None, 1] == columns[:, 1]
        usable = (rows[:, None, 2] & columns[:, 2]).bool()
        return ~same_video & same_speed & usable, ~same_speed & usable


def clip_labels(video: Tensor, speed: Optional[Tensor], valid: Optional[Tensor]) -> Tensor:
    """What is compared of clips: video, speed, and 1 if no frame is padding; int64 [B, 3]."""
    zeros = torch.zeros_like(video)
    usable = zeros + 1 if valid is None else valid.all(1).to(video.dtype)
    return torch.stack([video, zeros if speed is None else speed, usable], dim=1)
