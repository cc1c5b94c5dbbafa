"""Contrast of clips that are alike in appearance, or in motion."""

from __future__ import annotations

from typing import Optional, Union

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses import gather, gather_with_gradient
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.momentum.queue import FeatureQueue
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, Term, mean_term

MOTION_INPUTS = {
    f'{name}_{what}': f'targets.{view}.{what}'
    for name, view in (('query', 'clip'), ('key', 'clip_b'))
    for what in ('speed', 'valid')
}


@MODELS.register_module()
class ConsistencyHead(PretextHead):
    """Contrast two clips a video, drawn at speeds of their own, with the clips of other videos.

    ================  ================================  =====================================
    ``consistency``   positive                          negative
    ================  ================================  =====================================
    ``'appearance'``  same video                        another video
    ``'motion'``      another video at the same speed   another speed, the own video included
    ================  ================================  =====================================

    What is neither, such as a clip of the own video at the same speed for motion, takes no part;
    nor do clips with padded frames for motion, for they stand still. HCPG (arXiv 2204.12729) asks
    for appearance and motion consistency among videos; the two speeds are the idea of RSPNet (arXiv
    2011.07949), this form of the loss is our choice.

    Without a queue both clips are encoded by the student and each is contrasted with all clips of
    the batch. With a queue (MoCo, arXiv 1911.05722) the first clip is contrasted with the momentum
    encoder's keys of the second ones, of this batch and of earlier ones; for appearance, keys of
    its own video in the queue take no part (our choice: MoCo has no negatives from this batch, and
    cannot tell videos apart).

    Args:
        in_channels: Channels of the maps.
        consistency: ``'appearance'`` or ``'motion'``.
        adapter: Input of the views: ``'feature_map'`` or the name of an adapter.
        queue_size: Keys to keep; 0: none, contrast in the batch.
        momentum: Of the projector's copy, used with a queue only.
        hidden_dim, embedding_dim: Sizes of the projector, whose output is normalized over the
            batch: a task that is hard at first, as motion is, would else put all clips in one
            point, from where hardly a gradient leads away.
        loss: Of embeddings, positives and negatives.
        inputs: Sources of the maps ``query`` and ``key`` ``[B, C, T, H, W]``, of ``video`` int64
            ``[B]``, equal for clips of one video, and for motion of ``query_speed``, ``key_speed``
            int64 ``[B]`` and ``query_valid``, ``key_valid`` bool ``[B, T]``.
    """

    inputs = dict(query='clip.{adapter}', key='clip_b.{key}', video='targets.sample.video')

    def __init__(
        self,
        in_channels: int,
        consistency: str,
        adapter: str = 'feature_map',
        queue_size: int = 0,
        momentum: float = 0.999,
        hidden_dim: int = 512,
        embedding_dim: int = 128,
        loss: dict = dict(type='MultiPositiveInfoNCELoss', temperature=0.1),
        inputs: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        key = f'momentum_{adapter}' if queue_size else adapter
        inputs = {**(MOTION_INPUTS if consistency == 'motion' else {}), **(inputs or {})}
        super().__init__(inputs, loss, init_cfg, adapter=adapter, key=key)
        self.consistency = consistency
        self.projector = make_projector(in_channels, hidden_dim, embedding_dim, final_bn=True)
        self.momentum_projector: Optional[MomentumCopy] = None
        self.queue: Optional[FeatureQueue] = None
        if queue_size:
            self.momentum_projector = MomentumCopy(self.projector, momentum)
            self.queue = FeatureQueue(queue_size, embedding_dim, labels=3)

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        if self.momentum_projector is None:
            return []
        return [(self.momentum_projector, self.projector)]

    def terms(
        self, query: Tensor, key: Tensor, video: Tensor, **inputs: Tensor
    ) -> dict[str, Union[Term, Tensor]]:
        """The contrast, whether the most similar clip is right; projections ``[B, E]``.

        ``valid_fraction`` is the share of rows that have a positive and a negative.
        """
        query_labels, key_labels = (
            clip_labels(video, inputs.get(f'{name}_speed'), inputs.get(f'{name}_valid'))
            for name in ('query', 'key')
        )
        projected = self.projector(query.flatten(2).mean(2))
        if self.momentum_projector is None:
            # One view after the other: their batch statistics stay apart.
            keys = self.projector(key.flatten(2).mean(2))
            rows = self._in_batch(projected, keys, query_labels, key_labels)  # (2, B) each
        else:
            with torch.no_grad():
                keys = self.momentum_projector(key.flatten(2).mean(2))
            rows = self._against_queue(projected, keys, query_labels, gather(key_labels))
            if self.training and self.queue is not None:
                self.queue.enqueue(keys, key_labels)
        weight = rows['weight']
        return dict(
            loss=mean_term(rows['loss'].T, weight.T),
            accuracy=Term(rows['hit'][0], weight[0]),
            valid_fraction=Term(weight.mean()),
            projection=projected,
        )

    def _in_batch(
        self, queries: Tensor, keys: Tensor, query_labels: Tensor, key_labels: Tensor
    ) -> dict[str, Tensor]:
        """Losses of both clips against both clips of all videos, ``[2, B]`` each."""
        own = torch.stack([queries, keys])  # (2, B, E)
        labels = torch.stack([query_labels, key_labels])  # (2, B, 3)
        everyone, start = gather_with_gradient(own.transpose(0, 1))  # (W*B, 2, E)
        all_labels = gather(labels.transpose(0, 1)).transpose(0, 1)  # (2, W*B, 3)
        positive, negative = self._relations(labels.flatten(0, 1), all_labels.flatten(0, 1))
        row = torch.arange(start, start + len(queries), device=own.device)
        itself = torch.stack([row, row + len(everyone)]).flatten()[:, None]  # (2*B, 1)
        found = self.loss_module(
            own.flatten(0, 1),
            everyone.transpose(0, 1).flatten(0, 1),
            positive.scatter(1, itself, False),
            negative,
        )
        return {name: values.unflatten(0, (2, -1)) for name, values in found.items()}

    def _against_queue(
        self, queries: Tensor, keys: Tensor, query_labels: Tensor, all_labels: Tensor
    ) -> dict[str, Tensor]:
        """Losses of the first clips against the keys of this batch and the queue, ``[1, B]``."""
        columns = gather(keys.float())
        positive, negative = self._relations(query_labels, all_labels)
        if self.training and self.queue is not None:
            queue = self.queue
            old_positive, old_negative = self._relations(query_labels, queue.labels)
            if self.consistency == 'appearance':
                old_positive = torch.zeros_like(old_positive)  # made by weights of long ago
            columns = torch.cat([columns, queue.features])
            positive = torch.cat([positive, old_positive & queue.filled], dim=1)
            negative = torch.cat([negative, old_negative & queue.filled], dim=1)
        found = self.loss_module(queries, columns, positive, negative)
        return {name: values[None] for name, values in found.items()}

    def _relations(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Which columns are positive and negative for each row, bool ``[N, M]``, by labels."""
        same_video = rows[:, None, 0] == columns[:, 0]
        if self.consistency == 'appearance':
            return same_video, ~same_video
        same_speed = rows[:, None, 1] == columns[:, 1]
        usable = (rows[:, None, 2] & columns[:, 2]).bool()
        return ~same_video & same_speed & usable, ~same_speed & usable


def clip_labels(video: Tensor, speed: Optional[Tensor], valid: Optional[Tensor]) -> Tensor:
    """What is compared of clips: video, speed, and 1 if no frame is padding; int64 ``[B, 3]``."""
    zeros = torch.zeros_like(video)
    usable = zeros + 1 if valid is None else valid.all(1).to(video.dtype)
    return torch.stack([video, zeros if speed is None else speed, usable], dim=1)
