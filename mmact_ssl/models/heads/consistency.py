"""Contrast of clips that are alike in appearance, or in motion."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses.common import gather, gather_with_gradient
from mmact_ssl.models.losses.multi_positive_info_nce import clip_labels, clip_relations
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.momentum.queue import FeatureQueue
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, Term, Terms, mean_term

# What motion is told of each clip.
TOLD = ('speed', 'valid')


@MODELS.register_module()
class ConsistencyHead(PretextHead):
    """Contrast two clips a video, drawn at speeds of their own, with the clips of other videos.

    ================  ================================  =====================================
    ``consistency``   positive                          negative
    ================  ================================  =====================================
    ``'appearance'``  same video                        another video
    ``'motion'``      another video at the same speed   another speed, the own video included
    ================  ================================  =====================================

    What is neither takes no part, see :func:`clip_relations`. Consistency among videos is HCPG's
    (arXiv 2204.12729), the two speeds are RSPNet's (arXiv 2011.07949), the form is our choice.
    With a queue (MoCo, arXiv 1911.05722) the first clip meets momentum keys of the second ones, of
    this batch and of earlier ones, but for appearance no keys of its own video in the queue.

    Args:
        in_channels: Channels of the maps.
        consistency: ``'appearance'`` or ``'motion'``.
        adapter: Input of the views: ``'feature_map'`` or the name of an adapter.
        queue_size: Keys to keep; 0: contrast all clips of the batch with each other.
        momentum: Of the projector's copy, used with a queue only.
        hidden_dim, embedding_dim: Of the projector, whose output is normalized over the batch:
            a task that is hard at first would else put all clips in one point.
        loss: Of embeddings, positives and negatives.
        inputs: Sources of ``query``, ``key``, maps ``[B, C, T, H, W]`` or pooled ``[B, C]``, of
            ``video`` int64 ``[B]``, and for motion of their ``_speed`` int64 ``[B]`` and ``_valid``
            bool ``[B, T]``.
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
        if consistency == 'motion':
            views = dict(query='clip', key='clip_b')
            own = {f'{n}_{t}': f'targets.{v}.{t}' for n, v in views.items() for t in TOLD}
            inputs = {**own, **(inputs or {})}
        super().__init__(inputs, loss, init_cfg, adapter=adapter, key=key)
        self.consistency = consistency
        self.projector = make_projector(in_channels, hidden_dim, embedding_dim, final_bn=True)
        self.momentum_projector: Optional[MomentumCopy] = None
        self.queue: Optional[FeatureQueue] = None
        if queue_size:
            self.momentum_projector = MomentumCopy(self.projector, momentum)
            self.queue = FeatureQueue(queue_size, embedding_dim, labels=3)

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        copy = self.momentum_projector
        return [] if copy is None else [(copy, self.projector)]

    def terms(self, query: Tensor, key: Tensor, video: Tensor, **inputs: Tensor) -> Terms:
        """The contrast; whether the most similar clip is right, and chance; projections."""
        told = [[inputs.get(f'{name}_{what}') for what in TOLD] for name in ('query', 'key')]
        query_labels, key_labels = (clip_labels(video, *one) for one in told)
        query, key = (one if one.ndim == 2 else one.flatten(2).mean(2) for one in (query, key))
        projected = self.projector(query)
        if self.momentum_projector is None or self.queue is None:
            # One view after the other: their batch statistics stay apart.
            keys = self.projector(key)
            rows = torch.stack([projected, keys], dim=1)  # (B, 2, E)
            labels = torch.stack([query_labels, key_labels], dim=1)  # (B, 2, 3)
            everyone, start = gather_with_gradient(rows)  # (W*B, 2, E)
            columns, column_labels = everyone.flatten(0, 1), gather(labels).flatten(0, 1)
            row_labels = labels.flatten(0, 1)
            positive, negative = clip_relations(self.consistency, row_labels, column_labels)
            itself = torch.arange(len(positive), device=rows.device) + 2 * start
            positive = positive.scatter(1, itself[:, None], False)
        else:
            with torch.no_grad():
                keys = self.momentum_projector(key)
            rows = projected[:, None]  # (B, 1, E)
            columns, column_labels = gather(keys.float()), gather(key_labels)
            positive, negative = clip_relations(self.consistency, query_labels, column_labels)
            if self.training:
                old = clip_relations(self.consistency, query_labels, self.queue.labels)
                # For appearance positives of the queue were made by weights of long ago.
                kept = self.queue.filled & (self.consistency == 'motion')
                columns = torch.cat([columns, self.queue.features])
                positive = torch.cat([positive, old[0] & kept], dim=1)
                negative = torch.cat([negative, old[1] & self.queue.filled], dim=1)
                self.queue.enqueue(keys, key_labels)
        found = self.loss_module(rows.flatten(0, 1), columns, positive, negative)
        found = {name: values.unflatten(0, (len(video), -1)) for name, values in found.items()}
        weight = found['weight']  # (B, 2 or 1)
        chance = positive.sum(1) / (positive | negative).sum(1).clamp(min=1)
        return dict(
            loss=mean_term(found['loss'], weight),
            accuracy=Term(found['hit'][:, 0], weight[:, 0]),
            chance=Term(chance.view_as(weight)[:, 0], weight[:, 0]),
            valid_fraction=Term(weight.mean()),
            projection=projected,
        )
