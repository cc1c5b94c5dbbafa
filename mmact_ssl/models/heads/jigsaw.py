"""MS2L's jigsaw puzzle in time."""

from __future__ import annotations

import math

from mmact_ssl.registry import MODELS

from .classification import ClassificationHead


@MODELS.register_module()
class JigsawHead(ClassificationHead):
    """Recognize the order of the segments of a shuffled clip.

    ``cross_entropy(W2 relu(batch_norm(W1 feature)), permutation)`` over all ``segments!`` orders,
    numbered as :func:`itertools.permutations` lists them. As published (MS2L, arXiv 2010.05599, and
    its released code).

    Args:
        in_channels: Size of the pooled feature.
        segments: Number of segments that the pipeline shuffles.
        hidden_dim: Size of the hidden layer; None: a linear classifier (our choice).
        inputs: Names of ``pooled`` ``(B, D)`` and ``label`` int64 ``(B,)``, 0..segments!-1.
    """

    inputs = dict(pooled='shuffled.pooled', label='targets.shuffled.permutation')

    def __init__(
        self,
        in_channels: int,
        segments: int = 3,
        hidden_dim: int | None = 2048,
        loss: dict = dict(type='LabelLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        orders = math.factorial(segments)
        super().__init__(in_channels, orders, hidden_dim, loss, inputs, init_cfg)
