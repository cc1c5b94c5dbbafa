"""Contrast between the views of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead
from .terms import Term, Terms


@MODELS.register_module()
class ContrastHead(PretextHead):
    """Bring the views of a clip together and keep other clips away, by NT-Xent.

    With ``z_v`` the projected features of view v, one projector for all views::

        target='mean':  loss = mean over v of       nt_xent(z_v, mean over w of z_w)
        target='pair':  loss = mean over v < w of   nt_xent(z_v, z_w)

    The first with the loss given here as default is as published (MS2L, arXiv 2010.05599, and its
    released code); gradients flow through the mean. The second is the usual contrast of two
    augmented views. Each view goes through the projector's batch normalization as a batch of its
    own, as in the released code, so that views do not share statistics.

    Args:
        in_channels: Size of the pooled features.
        views: Two views or more.
        target: What a view is contrasted with, ``'mean'`` or ``'pair'``.
        hidden_dim, embedding_dim: Sizes of the projector.
        streams: Number of equal parts of the feature, one after another, that are contrasted by
            projectors of their own; their losses are summed, so that no stream can leave the work
            to another. Our choice.
        loss: Loss of two sets of projections.
        inputs: View -> name of its input ``(B, D)``, where that is not ``'<view>.pooled'``.
    """

    def __init__(
        self,
        in_channels: int,
        views: Sequence[str] = ('clip', 'masked', 'shuffled'),
        target: str = 'mean',
        hidden_dim: int = 2048,
        embedding_dim: int = 1024,
        streams: int = 1,
        loss: dict = dict(type='NTXentLoss', temperature=0.9, self_similarity=-1.0),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__({**{v: f'{v}.pooled' for v in views}, **(inputs or {})}, loss, init_cfg)
        if target not in ('mean', 'pair'):
            raise ConfigError(f"ContrastHead: target={target!r}: use 'mean' or 'pair'")
        self.target = target
        self.projectors = nn.ModuleList(
            make_projector(in_channels // streams, hidden_dim, embedding_dim)
            for _ in range(streams)
        )

    def terms(self, **pooled: Tensor) -> Terms:
        """NT-Xent, and how often a view's partner is the most similar row.

        With ``target='mean'`` that partner is the mean of the other views: in the mean of all, any
        row would find its own part, whatever the views have in common.

        Chance is 1 / (2 * B - 1), B the clips of all processes' batches. Projections
        ``(B, views, streams * embedding_dim)``.
        """
        parts = [pooled[view].chunk(len(self.projectors), dim=1) for view in self.inputs]
        found = [self._contrast(*pair) for pair in zip(self.projectors, zip(*parts))]
        losses, hits, projected = zip(*found)
        rows = 2 * len(losses[0]) * get_world_size()
        return dict(
            loss=Term(torch.stack(losses).sum(0)),
            accuracy=Term(torch.stack(hits).mean(0)),
            chance=Term(torch.full_like(hits[0], 1 / (rows - 1))),
            projection=torch.cat(projected, dim=2),
        )

    def _contrast(
        self, projector: nn.Module, features: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss ``(B,)``, hits ``(B,)`` and projections ``(B, views, E)`` of one stream."""
        projected = torch.stack([projector(feature) for feature in features])  # (views, B, E)
        pairs = list(combinations(projected, 2))
        if self.target == 'mean':
            pairs = [(one, projected.mean(0)) for one in projected]
        rows = [self.loss_module(*pair) for pair in pairs]  # (2, B) each
        loss = torch.stack([row['loss'] for row in rows]).mean((0, 1))
        if self.target == 'mean':
            apart = projected.detach()
            rows = [self.loss_module(one, apart.sum(0) - one) for one in apart]
        hits = torch.stack([row['hit'] for row in rows]).mean((0, 1))
        return loss, hits, projected.transpose(0, 1)
