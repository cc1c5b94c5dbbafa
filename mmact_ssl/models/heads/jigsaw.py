"""MS2L's jigsaw puzzle in time."""

from __future__ import annotations

import math
from typing import Optional

from torch import Tensor

from mmact_ssl.models.losses import classification_loss
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS

from .pretext_head import PretextHead


@MODELS.register_module()
class JigsawHead(PretextHead):
    """Tell in which order the segments of a shuffled clip lie.

    ``cross_entropy(W2 relu(batch_norm(W1 feature)), permutation)`` over all ``segments!`` orders,
    numbered as :func:`itertools.permutations` lists them. As published (MS2L, arXiv 2010.05599, and
    its released code).

    Args:
        in_channels: Size of the pooled feature.
        segments: How many segments the pipeline shuffles.
        hidden_dim: Size of the hidden layer.
        reads: Sources of ``pooled``, ``permutation``.
    """

    def __init__(
        self,
        in_channels: int,
        segments: int = 3,
        hidden_dim: int = 2048,
        reads: Optional[dict[str, str]] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        defaults = dict(pooled='shuffled.pooled', permutation='shuffled_permutation')
        super().__init__({**defaults, **(reads or {})}, init_cfg)
        self.classifier = make_projector(in_channels, hidden_dim, math.factorial(segments))

    def loss(self, pooled: Tensor, permutation: Tensor) -> dict[str, Tensor]:
        """Cross-entropy, and the share of clips whose order is told.

        Args:
            pooled: ``[B, D]``.
            permutation: int64 ``[B]``, 0..segments!-1.

        Raises:
            ConfigError: The pipeline shuffles more segments.
        """
        return classification_loss(self.classifier(pooled), permutation, 'JigsawHead')

    def predict(self, pooled: Tensor, permutation: Tensor) -> dict[str, Tensor]:
        """Logits ``[B, segments!]``, and per clip whether its order is told."""
        logits = self.classifier(pooled)
        return dict(logits=logits, accuracy=(logits.argmax(1) == permutation).to(logits.dtype))
