"""Prediction of another view's features by the student itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import cast

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.networks.projector import Prototypes, make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, build_loss, replace_inputs
from .terms import Term, Terms


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
        in_channels: Size of the pooled features.
        views: Two views or more.
        momentum: Of the projector's copy, equal to that of ``model.momentum_encoder``. None: the
            targets are the student's own.
        hidden_dim, hidden_layers, embedding_dim, final_bn: See :func:`make_projector`.
        prototypes: Number K of prototypes after the projector; 0: none.
        predictor_dim: Hidden size of the predictor; None: no predictor.
        streams: Number of equal, consecutive parts of the feature. Each has its own networks and
            loss; the losses are summed. Our choice.
        loss: Loss of predictions and targets.
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
