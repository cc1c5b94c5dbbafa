"""Contrast between the views of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses import nt_xent
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class ContrastHead(PretextHead):
    """Bring the views of a clip together and keep other clips away, by NT-Xent.

    With ``z_v`` the projected features of view v, one projector for all views::

        target='mean':  loss = mean over v of       nt_xent(z_v, mean over w of z_w)
        target='pair':  loss = mean over v < w of   nt_xent(z_v, z_w)

    The first with the temperature and the self-similarity given here as defaults is as published
    (MS2L, arXiv 2010.05599, and its released code); gradients flow through the mean. The second is
    the usual contrast of two augmented views. Each view goes through the projector's batch
    normalization as a batch of its own, as in the released code, so that views do not share
    statistics.

    Args:
        in_channels: Size of the pooled features.
        views: Two views or more.
        target: What a view is contrasted with, ``'mean'`` or ``'pair'``.
        temperature: ``> 0``; 0.1 is usual for two augmented views.
        self_similarity: Of a row with itself in the softmax; None leaves it out, see
            :func:`nt_xent`.
        hidden_dim, embedding_dim: Sizes of the projector.
        streams: Of a feature made of as many equal parts, one after another, each is contrasted by
            a projector of its own, and the losses are summed: no stream can leave the work to
            another. Our choice.
        reads: View -> source, where that is not ``'<view>.pooled'``.

    Raises:
        ConfigError: Fewer than two views, an unknown target, a source of another view, or features
            that the streams do not divide.
    """

    def __init__(
        self,
        in_channels: int,
        views: Sequence[str] = ('clip', 'masked', 'shuffled'),
        target: str = 'mean',
        temperature: float = 0.9,
        self_similarity: Optional[float] = -1.0,
        hidden_dim: int = 2048,
        embedding_dim: int = 1024,
        streams: int = 1,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__({**{v: f'{v}.pooled' for v in views}, **(reads or {})}, init_cfg)
        if isinstance(views, str) or len(set(views)) < 2 or set(self.reads) != set(views):
            raise ConfigError(
                f'ContrastHead: views={views!r} and reads of {sorted(self.reads)}; name two views '
                'or more, and in reads no other'
            )
        if target not in ('mean', 'pair'):
            raise ConfigError(f"ContrastHead: target={target!r}, use 'mean' or 'pair'")
        self.target = target
        self.temperature = temperature
        self.self_similarity = self_similarity
        if streams < 1 or in_channels % streams:
            raise ConfigError(
                f'ContrastHead: in_channels={in_channels} are not streams={streams} equal parts'
            )
        self.projectors = nn.ModuleList(
            make_projector(in_channels // streams, hidden_dim, embedding_dim)
            for _ in range(streams)
        )

    def _contrast(self, pooled: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, hits ``[B]`` in 0..1 and ``[B, views, streams * embedding_dim]``."""
        parts = [pooled[view].chunk(len(self.projectors), dim=1) for view in self.reads]
        streams = [
            self._contrast_stream(projector, part)
            for projector, part in zip(self.projectors, zip(*parts))
        ]
        losses, hits, projected = zip(*streams)
        return torch.stack(losses).sum(), torch.stack(hits).mean(0), torch.cat(projected, dim=2)

    def _contrast_stream(
        self, projector: nn.Module, features: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same of one stream, from its features ``[B, D]`` of each view."""
        projected = torch.stack([projector(feature) for feature in features])  # (v, B, E)
        pairs = list(combinations(projected, 2))
        if self.target == 'mean':
            pairs = [(one, projected.mean(0)) for one in projected]
        terms = [nt_xent(*pair, self.temperature, self.self_similarity) for pair in pairs]
        loss = torch.stack([term['loss'] for term in terms]).mean()
        hits = torch.stack([term['hit'] for term in terms]).mean((0, 1))
        return loss, hits, projected.transpose(0, 1)

    def loss(self, **pooled: Tensor) -> dict[str, Tensor]:
        """NT-Xent, and how often the most similar row is the partner.

        Args:
            pooled: View -> ``[B, D]``.
        """
        loss, hits, _ = self._contrast(pooled)
        return dict(loss=loss, accuracy=hits.mean())

    def predict(self, **pooled: Tensor) -> dict[str, Tensor]:
        """Projections ``[B, views, streams * embedding_dim]``; hits ``[B]``, 0..1.

        A hit is a row that is most similar to its partner. Chance is 1 / (2 * B - 1),
        B the clips of the batch.
        """
        _, hits, projected = self._contrast(pooled)
        return dict(projection=projected, accuracy=hits)
