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

from .pretext_head import PretextHead, replace_inputs
from .terms import Term, Terms


@MODELS.register_module()
class ContrastHead(PretextHead):
    """Bring the views of a clip together and keep other clips away, by NT-Xent.

    With ``z_v`` the projected features of view v, one projector for all views::

        target='mean':  loss = mean over v of       nt_xent(z_v, mean over w of z_w)
        target='pair':  loss = mean over v < w of   nt_xent(z_v, z_w)

    The first with the default loss is as published (MS2L, arXiv 2010.05599, and its released code);
    gradients flow through the mean. The second is the usual contrast of two augmented views. Each
    view is a separate batch for the projector's batch normalization, as in the released code, so
    that views do not share statistics.

    Args:
        in_channels: Size of the pooled features.
        views: Two views or more.
        target: Contrast with the mean of all views, ``'mean'``, or of pairs of views, ``'pair'``.
        hidden_dim, embedding_dim: Sizes of the projector.
        streams: Number of equal, consecutive parts of the feature. Each has its own projector and
            contrast; the losses are summed, so that every stream must learn. Our choice.
        loss: Loss of two sets of projections.
        inputs: View -> name of its input ``(B, D)``, by default ``'<view>.pooled'``.
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
        own = {view: f'{view}.pooled' for view in views}
        super().__init__(replace_inputs(own, inputs), loss, init_cfg)
        if target not in ('mean', 'pair'):
            raise ConfigError(f"ContrastHead: target={target!r}: use 'mean' or 'pair'")
        self.target = target
        self.projectors = nn.ModuleList(
            make_projector(in_channels // streams, hidden_dim, embedding_dim)
            for _ in range(streams)
        )

    def terms(self, **pooled: Tensor) -> Terms:
        """Compute NT-Xent, its accuracy, and projections ``(B, views, streams * embedding_dim)``.

        The accuracy is the share of rows whose partner is the most similar row. With
        ``target='mean'`` the partner is the mean of the other views, since the mean of all views
        contains the row itself. Chance is 1 / (2 * B - 1) for B clips of all processes.
        """
        parts = [pooled[view].chunk(len(self.projectors), dim=1) for view in self.inputs]
        outputs = [self._contrast(*pair) for pair in zip(self.projectors, zip(*parts))]
        losses, hits, projected = zip(*outputs)
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
            pairs = [(view, projected.mean(0)) for view in projected]
        rows = [self.loss_module(*pair) for pair in pairs]  # (2, B) each
        loss = torch.stack([row['loss'] for row in rows]).mean((0, 1))
        if self.target == 'mean':
            detached = projected.detach()
            rows = [self.loss_module(view, detached.sum(0) - view) for view in detached]
        hits = torch.stack([row['hit'] for row in rows]).mean((0, 1))
        return loss, hits, projected.transpose(0, 1)
