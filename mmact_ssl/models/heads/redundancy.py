"""Redundancy reduction between the views of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmact_ssl.models.losses.statistics import view_agreement
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead, replace_inputs
from .terms import Term, Terms


@MODELS.register_module()
class RedundancyHead(PretextHead):
    """Make the views of a clip alike while the channels of their projections stay uncorrelated.

    With ``z_v = projector(student(v))``::

        loss = mean over v < w of   distance(z_v, z_w)

    The distance is that of Barlow Twins (arXiv 2103.03230) or VICReg (arXiv 2105.04906), over the
    clips of all processes. There are no negatives, momentum copies or stopped gradients. Each view
    is a separate batch for the projector's batch normalization.

    Args:
        in_channels: Size of the pooled features.
        views: Two views or more.
        hidden_dim, hidden_layers, embedding_dim: Sizes of the projector.
        streams: Number of equal, consecutive parts of the feature. Each has its own projector and
            loss; the losses are summed. Our choice.
        loss: Loss of two sets of projections.
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
        """Compute the loss and its parts, and how well views agree; projections ``(B, views, E)``.

        The projections of the streams are joined. The agreement is that of :func:`view_agreement`:
        ``accuracy`` beside ``chance``, and ``error`` beside ``error_constant``.
        """
        by_view = [pooled[view].chunk(len(self.projectors), dim=1) for view in self.inputs]
        losses, agreements, projections = [], [], []
        for projector, features in zip(self.projectors, zip(*by_view)):
            projected = [projector(feature) for feature in features]
            for pair in combinations(projected, 2):
                losses.append(self.loss_module(*pair))
                agreements.append(view_agreement(*pair))
            projections.append(torch.stack(projected, dim=1))
        # The loss is the sum over streams and the mean over pairs; its logged parts are means.
        means = {name: torch.stack([part[name] for part in losses]).mean() for name in losses[0]}
        loss = means.pop('loss') * len(self.projectors)
        terms: Terms = {name: Term(value) for name, value in means.items()}
        for name in agreements[0]:
            terms[name] = Term(torch.stack([pair[name] for pair in agreements]).mean(0))
        hit = agreements[0]['accuracy']
        chance = torch.full_like(hit, 1 / (len(hit) * get_world_size()))
        projection = torch.cat(projections, dim=2)
        return dict(**terms, loss=Term(loss), chance=Term(chance), projection=projection)
