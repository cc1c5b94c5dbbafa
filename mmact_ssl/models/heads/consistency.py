"""Contrast of clips with the same appearance, or with the same motion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term, Terms, mean_term
from mmact_ssl.models.losses.common import gather, gather_with_gradient
from mmact_ssl.models.losses.contrastive import clip_labels, clip_relations
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.momentum.queue import FeatureQueue
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ConsistencyHead(PretextHead):
    """Contrast two clips of a video, drawn at independent speeds, with clips of other videos.

    ================  ================================  =====================================
    ``consistency``   positive                          negative
    ================  ================================  =====================================
    ``'appearance'``  same video                        another video
    ``'motion'``      another video at the same speed   another speed, the own video included
    ================  ================================  =====================================

    Other clips are ignored, see :func:`clip_relations`. Consistency among videos is HCPG's (arXiv
    2204.12729), the two speeds are RSPNet's (arXiv 2011.07949), the form is our choice. With a
    queue (MoCo, arXiv 1911.05722) the first clips are contrasted with momentum keys of the second
    clips of this batch and of earlier batches. For appearance, keys of the own video in the queue
    are ignored.

    Args:
        adapter: Input of the views: ``'feature_map'`` or the name of an adapter.
        consistency: ``'appearance'`` or ``'motion'``.
        queue_size, momentum: Size of the queue (0: none), and momentum of its keys' projector.
        hidden_dim, embedding_dim: Sizes of the projector; its output is normalized over the batch.
        inputs: Names of ``query``, ``key`` ``(B, C, T, H, W)`` or ``(B, C)``, ``video`` int64
            ``(B,)``, and for motion of their ``_speed`` int64 ``(B,)``, ``_valid`` bool ``(B, T)``.
    """

    inputs = dict(query='clip.{adapter}', key='clip_b.{key}', video='targets.sample.video')
    motion_inputs = dict(
        **dict(query_speed='targets.clip.speed', query_valid='targets.clip.valid'),
        **dict(key_speed='targets.clip_b.speed', key_valid='targets.clip_b.valid'),
    )

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
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        key = f'momentum_{adapter}' if queue_size else adapter
        if consistency == 'motion':
            inputs = {**self.motion_inputs, **(inputs or {})}
        super().__init__(inputs, loss, init_cfg, adapter=adapter, key=key)
        self.consistency = consistency
        self.projector = make_projector(in_channels, hidden_dim, embedding_dim, final_bn=True)
        self.momentum_projector = MomentumCopy(self.projector, momentum) if queue_size else None
        self.queue = FeatureQueue(queue_size, embedding_dim, labels=3) if queue_size else None

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        copy = self.momentum_projector
        return [] if copy is None else [(copy, self.projector)]

    def terms(
        self,
        query: Tensor,
        key: Tensor,
        video: Tensor,
        query_speed: Tensor | None = None,
        query_valid: Tensor | None = None,
        key_speed: Tensor | None = None,
        key_valid: Tensor | None = None,
    ) -> Terms:
        """Compute the contrast, its accuracy and chance level, and the projections."""
        query_labels = clip_labels(video, query_speed, query_valid)
        key_labels = clip_labels(video, key_speed, key_valid)
        query, key = (x if x.ndim == 2 else x.flatten(2).mean(2) for x in (query, key))
        projected = self.projector(query)
        if self.momentum_projector is None or self.queue is None:
            keys = self.projector(key)  # a separate batch, so that views share no statistics
            rows = torch.stack([projected, keys], dim=1)  # (B, 2, E)
            labels = torch.stack([query_labels, key_labels], dim=1)  # (B, 2, 3)
            everyone, start = gather_with_gradient(rows)  # (W*B, 2, E)
            columns, column_labels = everyone.flatten(0, 1), gather(labels).flatten(0, 1)
            positive, negative = clip_relations(
                self.consistency, labels.flatten(0, 1), column_labels
            )
            itself = torch.arange(len(positive), device=rows.device) + 2 * start
            positive = positive.scatter(1, itself[:, None], False)
        else:
            rows = projected[:, None]  # (B, 1, E)
            with torch.no_grad():
                keys = self.momentum_projector(key)
            columns, column_labels = gather(keys.float()), gather(key_labels)
            positive, negative = clip_relations(self.consistency, query_labels, column_labels)
            if self.training:
                same, other = clip_relations(self.consistency, query_labels, self.queue.labels)
                # For appearance no positives of the queue: old weights made them.
                same &= self.queue.filled & (self.consistency == 'motion')
                columns = torch.cat([columns, self.queue.features])
                positive = torch.cat([positive, same], dim=1)
                negative = torch.cat([negative, other & self.queue.filled], dim=1)
                self.queue.enqueue(keys, key_labels)
        outputs = self.loss_module(rows.flatten(0, 1), columns, positive, negative)
        outputs = {name: values.unflatten(0, (len(video), -1)) for name, values in outputs.items()}
        weight = outputs['weight']  # (B, 2 or 1)
        chance = positive.sum(1) / (positive | negative).sum(1).clamp(min=1)
        return dict(
            loss=mean_term(outputs['loss'], weight),
            accuracy=Term(outputs['hit'][:, 0], weight[:, 0]),
            chance=Term(chance.view_as(weight)[:, 0], weight[:, 0]),
            valid_fraction=Term(weight.mean()),
            projection=projected,
        )
