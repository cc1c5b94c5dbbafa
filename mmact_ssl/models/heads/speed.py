"""Recognition of the speed at which a clip is played."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from mmact_ssl.registry import MODELS

from .classification import ClassificationHead
from .terms import Term, Terms


@MODELS.register_module()
class SpeedHead(ClassificationHead):
    """Recognize the stride at which the frames of a clip were taken.

    ``cross_entropy(classifier(feature), class of the stride)``. Source: pace prediction (Wang et
    al., arXiv 2008.05861), equation 2, a linear classifier; the hidden layer is an option. A clip
    with padded frames, which do not move, does not count. Our choice.

    Args:
        in_channels: Size of the pooled feature.
        strides: The strides of the pipeline, in ascending order, in frames.
        hidden_dim: Size of a hidden layer with batch normalization; None: a linear classifier.
        inputs: Names of ``pooled`` ``(B, D)``, ``label`` int64 ``(B,)``, the stride, -1 = none, and
            ``valid`` bool ``(B, T)`` or ``(B, M, T)``, False for padding.

    Raises:
        ConfigError: The pipeline took frames at another stride.
    """

    inputs = dict(pooled='clip.pooled', label='targets.clip.speed', valid='targets.clip.valid')

    def __init__(
        self,
        in_channels: int,
        strides: Sequence[int],
        hidden_dim: int | None = None,
        loss: dict = dict(type='LabelLoss'),
        inputs: dict[str, str] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, len(strides), hidden_dim, loss, inputs, init_cfg)
        self.register_buffer('strides', torch.tensor(strides), persistent=False)

    def terms(  # type: ignore[override]  # a view of another stride has another label
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
