"""Comparison of the views of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import cast

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.pretext_head import PretextHead, build_loss, replace_inputs
from mmact_ssl.models.heads.terms import Term, Terms
from mmact_ssl.models.losses.statistics import view_accuracy
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.networks.projector import Prototypes, make_projector
from mmact_ssl.registry import MODELS


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
        views: Two views or more.
        target: Contrast with the mean of all views, ``'mean'``, or of pairs of views, ``'pair'``.
        streams: Number of equal, consecutive parts of the feature. Each has its own projector and
            contrast; the losses are summed, so that every stream must learn. Our choice.
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


@MODELS.register_module()
class RedundancyHead(PretextHead):
    """Make the views of a clip alike while the channels of their projections stay uncorrelated.

    With ``z_v = projector(student(v))``::

        loss = mean over v < w of   distance(z_v, z_w)

    The distance is that of Barlow Twins (arXiv 2103.03230) or VICReg (arXiv 2105.04906), over the
    clips of all processes. There are no negatives, momentum copies or stopped gradients. Each view
    is a separate batch for the projector's batch normalization.

    Args:
        views: Two views or more.
        streams: Number of equal, consecutive parts of the feature. Each has its own projector and
            loss; the losses are summed. Our choice.
        inputs: View -> name of its input ``(B, D)``, by default ``'<view>.pooled'``.
    """

    def __init__(
        self,
        in_channels: int,
        views: Sequence[str] = ('clip', 'clip_b'),
        hidden_dim: int = 2048,
        hidden_layers: int = 2,
        embedding_dim: int = 2048,
        streams: int = 1,
        loss: dict = dict(type='BarlowTwinsLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        own = {view: f'{view}.pooled' for view in views}
        super().__init__(replace_inputs(own, inputs), loss, init_cfg)
        sizes = (in_channels // streams, hidden_dim, embedding_dim)
        self.projectors = nn.ModuleList(
            make_projector(*sizes, hidden_layers=hidden_layers) for _ in range(streams)
        )

    def terms(self, **pooled: Tensor) -> Terms:
        """Compute the loss and its parts, the :func:`view_accuracy`, and projections.

        The projections ``(B, views, E)`` of the streams are joined.
        """
        by_view = [pooled[view].chunk(len(self.projectors), dim=1) for view in self.inputs]
        losses, hits, projections = [], [], []
        for projector, features in zip(self.projectors, zip(*by_view)):
            projected = [projector(feature) for feature in features]
            for pair in combinations(projected, 2):
                losses.append(self.loss_module(*pair))
                hits.append(view_accuracy(*pair))
            projections.append(torch.stack(projected, dim=1))
        # The loss is the sum over streams and the mean over pairs; its logged parts are means.
        means = {name: torch.stack([part[name] for part in losses]).mean() for name in losses[0]}
        loss = means.pop('loss') * len(self.projectors)
        terms: Terms = {name: Term(value) for name, value in means.items()}
        accuracy = torch.stack(hits).mean(0)
        chance = torch.full_like(accuracy, 1 / (len(accuracy) * get_world_size()))
        terms.update(accuracy=Term(accuracy), loss=Term(loss), chance=Term(chance))
        return dict(**terms, projection=torch.cat(projections, dim=2))


@MODELS.register_module()
class SelfDistillationHead(PretextHead):
    """Predict the projection of each view from every other view of the clip.

    With ``p_v = predictor(projector(student(v)))`` and a target ``t_w`` without gradient::

        loss = mean over v != w of   distance(p_v, t_w)

    - BYOL (arXiv 2006.07733): ``t_w`` is the momentum copy's projection of w.
    - SimSiam (arXiv 2011.10566), ``momentum=None``: ``t_w`` is the student's own projection of w.
    - DINO (arXiv 2104.14294): as BYOL without a predictor; projections are cosines with prototypes,
      and a :class:`CenteredCrossEntropyLoss` is the distance.

    The momentum is constant after a warm-up and the copy normalizes by averaged statistics, see
    :class:`MomentumCopy`; as published it rises to 1, and the batch normalizes. Our choice.

    Args:
        views: Two views or more.
        momentum: Of the projector's copy, equal to that of ``model.momentum_encoder``. None: the
            targets are the student's own.
        hidden_dim, hidden_layers, embedding_dim, final_bn: See :func:`make_projector`.
        prototypes: Number K of prototypes after the projector; 0: none.
        predictor_dim: Hidden size of the predictor; None: no predictor.
        streams: Number of equal, consecutive parts of the feature. Each has its own networks and
            loss; the losses are summed. Our choice.
        inputs: View -> name of its input ``(B, D)``, by default ``'<view>.pooled'``; and with a
            momentum ``'<view>_target'``, by default ``'<view>.momentum_pooled'``.
    """

    def __init__(
        self,
        in_channels: int,
        views: Sequence[str] = ('clip', 'clip_b'),
        momentum: float | None = 0.99,
        hidden_dim: int = 2048,
        hidden_layers: int = 1,
        embedding_dim: int = 256,
        final_bn: bool = False,
        prototypes: int = 0,
        predictor_dim: int | None = 2048,
        streams: int = 1,
        loss: dict = dict(type='NegativeCosineLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        own = {view: f'{view}.pooled' for view in views}
        if momentum is not None:
            own |= {f'{view}_target': f'{view}.momentum_pooled' for view in views}
        super().__init__(replace_inputs(own, inputs), init_cfg=init_cfg)
        self.views = tuple(views)
        sizes = (in_channels // streams, hidden_dim, embedding_dim, final_bn, hidden_layers)
        size = prototypes or embedding_dim
        self.projectors, self.predictors, self.losses = (nn.ModuleList() for _ in range(3))
        for _ in range(streams):
            projector = make_projector(*sizes)
            if prototypes:
                projector.append(Prototypes(embedding_dim, prototypes))
            self.projectors.append(projector)
            predictor = make_projector(size, predictor_dim, size) if predictor_dim else None
            self.predictors.append(nn.Identity() if predictor is None else predictor)
            self.losses.append(build_loss(loss))  # it may have a state
        self.momentum_projectors = None
        if momentum is not None:
            self.momentum_projectors = MomentumCopy(self.projectors, momentum)

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        copy = self.momentum_projectors
        return [] if copy is None else [(copy, self.projectors)]

    def terms(self, **pooled: Tensor) -> Terms:
        """Compute the loss, its accuracy, and projections ``(B, views, streams * E)``.

        A prediction hits if no target of another clip of all processes is nearer than its own. The
        ``error`` is the mean loss of a stream, ``error_constant`` that of the best answer to all
        clips alike.
        """
        parts = {name: value.chunk(len(self.losses), 1) for name, value in pooled.items()}
        first, second = zip(*permutations(range(len(self.views)), 2))
        rows, projections = [], []
        for stream, loss in enumerate(self.losses):
            own = [self.projectors[stream](parts[view][stream]) for view in self.views]
            predicted = torch.stack([self.predictors[stream](values) for values in own])
            targets = torch.stack(own).detach()
            if self.momentum_projectors is not None:
                copy = cast(nn.ModuleList, self.momentum_projectors.module)[stream]
                aims = [copy(parts[f'{view}_target'][stream]) for view in self.views]
                targets = torch.stack(aims).detach()
            rows.append(loss(predicted[list(first)], targets[list(second)]))  # (pairs, B) each
            projections.append(torch.stack(own, dim=1))
        means = {n: torch.stack([row[n] for row in rows]).mean((0, 1)) for n in rows[0]}
        chance = 1 / (len(means['hit']) * get_world_size())
        return dict(
            loss=Term(means['loss'] * len(rows)),
            error=Term(means['loss'].detach()),
            error_constant=Term(means['constant']),
            accuracy=Term(means['hit']),
            chance=Term(torch.full_like(means['hit'], chance)),
            projection=torch.cat(projections, dim=2),
        )
