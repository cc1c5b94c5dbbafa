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
    """Classifier of actions on the pooled feature: ``cross_entropy(W feature, label)``.

    It serves MS2L's joint training (classification together with the pretext tasks) and moving
    training (the weights move from the pretext tasks to classification), as reported for arXiv
    2010.05599. Weights are Xavier-normal and biases zero, as in its released code.

    Args:
        in_channels: Size of the pooled feature.
        num_classes: Number of classes K.
        hidden_dim: Size of a hidden layer with batch normalization; None: a linear classifier.
        loss: Loss of logits and labels.
        inputs: Names of ``pooled`` ``(B, D)`` and ``label`` int64 ``(B,)``, -1 = none. Any other
            name is another view of the clip, ``(B, D)``, with the clip's label, even from another
            camera; the loss is the mean over the views (our choice).
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
        """Compute cross-entropy, accuracy and its chance level over the labeled clips.

        Accuracy and logits ``(B, K)`` are those of ``pooled``.
        """
        logits = [self.classifier(view) for view in (pooled, *views.values())]
        outputs = [self.loss_module(scores, label) for scores in logits]
        weight = outputs[0]['weight']
        hit = outputs[0]['hit']
        return dict(
            loss=Term(torch.stack([output['loss'] for output in outputs]).mean(0), weight),
            accuracy=Term(hit, weight),
            chance=Term(torch.full_like(hit, 1 / logits[0].shape[1]), weight),
            logits=logits[0],
        )
