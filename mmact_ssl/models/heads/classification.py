"""Classification of actions, and of the order and the speed of frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any, cast

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term, Terms
from mmact_ssl.models.networks.projector import make_projector
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class ClassificationHead(PretextHead):
    """Classifier of actions on the pooled feature: ``cross_entropy(W feature, label)``.

    It serves MS2L's joint training (classification together with the pretext tasks) and moving
    training (the weights move from the pretext tasks to classification), as reported for arXiv
    2010.05599. Weights are Xavier-normal and biases zero, as in its released code.

    Args:
        num_classes: Number of classes K.
        hidden_dim: Size of a hidden layer with batch normalization; None: a linear classifier.
        inputs: Names of ``pooled`` ``(B, D)`` and ``label`` int64 ``(B,)``, -1 = none.
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

    def terms(self, pooled: Tensor, label: Tensor) -> Terms:
        """Compute cross-entropy, accuracy and its chance level over the labeled clips.

        The output ``logits`` is ``(B, K)``.
        """
        logits = self.classifier(pooled)
        outputs = self.loss_module(logits, label)
        weight, hit = outputs['weight'], outputs['hit']
        return dict(
            loss=Term(outputs['loss'], weight),
            accuracy=Term(hit, weight),
            chance=Term(torch.full_like(hit, 1 / logits.shape[1]), weight),
            logits=logits,
        )


@MODELS.register_module()
class JigsawHead(ClassificationHead):
    """Recognize the order of the segments of a shuffled clip.

    ``cross_entropy(W2 relu(batch_norm(W1 feature)), permutation)`` over all ``segments!`` orders,
    numbered as :func:`itertools.permutations` lists them. As published (MS2L, arXiv 2010.05599, and
    its released code).

    Args:
        segments: Number of segments that the pipeline shuffles.
        hidden_dim: Size of the hidden layer; None: a linear classifier (our choice).
        inputs: Names of ``pooled`` ``(B, D)`` and ``label`` int64 ``(B, segments)``, the order; -1
            for a clip that is not shuffled, which does not count.

    Raises:
        ConfigError: The pipeline shuffles another number of segments.
    """

    inputs = dict(pooled='shuffled.pooled', label='targets.shuffled.permutation')

    def __init__(
        self, in_channels: int, segments: int = 3, hidden_dim: int | None = 2048, **settings: Any
    ) -> None:
        orders = torch.tensor(list(permutations(range(segments))))
        super().__init__(in_channels, len(orders), hidden_dim, **settings)
        self.register_buffer('orders', orders, persistent=False)

    def terms(self, pooled: Tensor, label: Tensor) -> Terms:
        """Compute cross-entropy, accuracy and chance over the shuffled clips."""
        if label.shape[1] != self.orders.shape[1]:
            raise ConfigError(
                f'JigsawHead: the pipeline shuffles {label.shape[1]} segments, the head recognizes '
                f'{self.orders.shape[1]}: set segments of both to one number'
            )
        is_order = (label[:, None] == self.orders).all(2)  # (B, orders)
        return super().terms(pooled, is_order.int().argmax(1).where(is_order.any(1), -1))


@MODELS.register_module()
class SpeedHead(ClassificationHead):
    """Recognize the stride at which the frames of a clip were taken.

    ``cross_entropy(classifier(feature), class of the stride)``. Source: pace prediction (Wang et
    al., arXiv 2008.05861), equation 2, a linear classifier; the hidden layer is an option. A clip
    with padded frames, which do not move, does not count. Our choice.

    Args:
        strides: The strides of the pipeline, in ascending order, in frames.
        inputs: Names of ``pooled`` ``(B, D)``, ``label`` int64 ``(B,)``, the stride, -1 = none, and
            ``valid`` bool ``(B, T)`` or ``(B, M, T)``, False for padding.

    Raises:
        ConfigError: The pipeline took frames at another stride.
    """

    inputs = dict(pooled='clip.pooled', label='targets.clip.speed', valid='targets.clip.valid')

    def __init__(self, in_channels: int, strides: Sequence[int], **settings: Any) -> None:
        super().__init__(in_channels, len(strides), **settings)
        self.register_buffer('strides', torch.tensor(strides), persistent=False)

    def terms(  # type: ignore[override]
        self, pooled: Tensor, label: Tensor, valid: Tensor
    ) -> Terms:
        """Compute cross-entropy and accuracy over the clips without padding.

        ``chance`` is the accuracy of naming the smallest stride: it fits into the most clips, so
        that it is the best answer that is the same for all.
        """
        is_stride = label[:, None] == self.strides  # (B, strides)
        # Another stride is a class beyond the last one, which the loss refuses.
        number = is_stride.int().argmax(1).where(is_stride.any(1), is_stride.shape[1])
        shown = valid if valid.ndim == 2 else valid.any(1)  # (B, T)
        terms = super().terms(pooled, number.where(shown.all(1) & (label != -1), -1))
        hit, weight = cast(Term, terms['accuracy'])
        terms['chance'] = Term((number == self.strides.argmin()).to(hit.dtype), weight)
        return terms
