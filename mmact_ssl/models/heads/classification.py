"""Supervised classification beside the pretext tasks."""

from __future__ import annotations

from typing import Optional

from torch import Tensor, nn

from mmact_ssl.models.losses import classification_loss
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class ClassificationHead(PretextHead):
    """A linear classifier of actions on the pooled feature.

    The only task that reads labels: for MS2L's joint training (classification together with the
    pretext tasks) and moving one (the weights move from these to it), which are as reported for
    arXiv 2010.05599. Weights Xavier-normal and bias zero, as in its released code.

    Args:
        in_channels: Size of the pooled feature.
        num_classes: K.
        reads: Sources of ``pooled``, ``label``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__({'pooled': 'clip.pooled', 'label': 'label', **(reads or {})}, init_cfg)
        self.classifier = nn.Linear(in_channels, num_classes)
        nn.init.xavier_normal_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def loss(self, pooled: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Cross-entropy and accuracy over the labeled clips.

        Args:
            pooled: ``[B, D]``.
            label: int64 ``[B]``, 0..K-1; a clip of label -1 has none and does not count.

        Raises:
            ConfigError: A label is not below K (on a GPU: a device-side assertion).
        """
        return classification_loss(self.classifier(pooled), label, 'ClassificationHead')

    def predict(self, pooled: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Logits ``[B, K]``, and per clip whether it is told; NaN without a label."""
        logits = self.classifier(pooled)
        hit = (logits.argmax(1) == label).to(logits.dtype)
        return dict(logits=logits, accuracy=hit.masked_fill(label == -1, float('nan')))
