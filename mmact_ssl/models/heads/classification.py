"""Supervised classification beside the pretext tasks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead
from .terms import Term, Terms


@MODELS.register_module()
class ClassificationHead(PretextHead):
    """A classifier of actions on the pooled feature: ``cross_entropy(W feature, label)``.

    For MS2L's joint training (classification together with the pretext tasks) and moving one (the
    weights move from these to it), which are as reported for arXiv 2010.05599. Weights
    Xavier-normal and bias zero, as in its released code.

    Args:
        in_channels: Size of the pooled feature.
        num_classes: K.
        hidden_dim: Of a hidden layer with batch normalization; None: a linear classifier.
        loss: Loss of logits and labels.
        inputs: Names of ``pooled`` ``(B, D)`` and ``label`` int64 ``(B,)``, -1 = none. Any other
            name is a further view of the clip, ``(B, D)``: it has the clip's label, even where it
            shows another camera, and the loss is the mean over the views (our choice).
    """

    inputs = dict(pooled='clip.pooled', label='targets.sample.label')

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        hidden_dim: int | None = None,
        loss: dict = dict(type='LabelLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(inputs, loss, init_cfg)
        self.classifier: nn.Module
        if hidden_dim is None:
            self.classifier = nn.Linear(in_channels, num_classes)
            nn.init.xavier_normal_(self.classifier.weight)
            nn.init.zeros_(self.classifier.bias)
        else:
            self.classifier = make_projector(in_channels, hidden_dim, num_classes)

    def terms(self, pooled: Tensor, label: Tensor, **views: Tensor) -> Terms:
        """Cross-entropy and accuracy of the labeled clips, chance beside it.

        Accuracy and logits ``(B, K)`` are those of ``pooled``.
        """
        logits = [self.classifier(view) for view in (pooled, *views.values())]
        found = [self.loss_module(one, label) for one in logits]
        weight = found[0]['weight']
        hit = found[0]['hit']
        return dict(
            loss=Term(torch.stack([one['loss'] for one in found]).mean(0), weight),
            accuracy=Term(hit, weight),
            chance=Term(torch.full_like(hit, 1 / logits[0].shape[1]), weight),
            logits=logits[0],
        )
