"""MS2L's jigsaw puzzle in time."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS

from .classification import ClassificationHead
from .terms import Terms


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
        inputs: Names of ``pooled`` ``(B, D)`` and ``label`` int64 ``(B, segments)``, the order; -1
            for a clip that is not shuffled, which does not count.

    Raises:
        ConfigError: The pipeline shuffles another number of segments.
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
        orders = torch.tensor(list(permutations(range(segments))))
        super().__init__(in_channels, len(orders), hidden_dim, loss, inputs, init_cfg)
        self.register_buffer('orders', orders, persistent=False)

    def terms(  # type: ignore[override]  # each view has an order of its own
        self, pooled: Tensor, label: Tensor
    ) -> Terms:
        """Compute cross-entropy, accuracy and chance over the shuffled clips."""
        if label.shape[1] != self.orders.shape[1]:
            raise ConfigError(
                f'JigsawHead: the pipeline shuffles {label.shape[1]} segments, the head recognizes '
                f'{self.orders.shape[1]}: set segments of both to one number'
            )
        is_order = (label[:, None] == self.orders).all(2)  # (B, orders)
        return super().terms(pooled, is_order.int().argmax(1).where(is_order.any(1), -1))
