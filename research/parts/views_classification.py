"""Classification of several views of a clip."""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_ssl.models.heads.classification import ClassificationHead
from mmact_ssl.models.heads.terms import Term, Terms
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ViewsClassificationHead(ClassificationHead):
    """ClassificationHead that also learns from other views of the clip, even of another camera.

    ``inputs`` names these views ``(B, D)`` beside ``pooled``. Each has the clip's label, and the
    loss is the mean over the views.
    """

    def terms(  # type: ignore[override]
        self, pooled: Tensor, label: Tensor, **views: Tensor
    ) -> Terms:
        """Compute the mean cross-entropy; accuracy and logits are those of ``pooled``."""
        terms = super().terms(pooled, label)
        own, weight = terms['loss']
        others = [self.loss_module(self.classifier(view), label)['loss'] for view in views.values()]
        return {**terms, 'loss': Term(torch.stack([own, *others]).mean(0), weight)}
