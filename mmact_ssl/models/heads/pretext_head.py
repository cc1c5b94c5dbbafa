"""What every pretext head has in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Optional

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmact_ssl.models.momentum.copy import MomentumCopy


class PretextHead(BaseModule):
    """A pretext task: reads named sources, returns losses and metrics.

    A head names what it reads; the trainer hands it exactly that, as keyword arguments of
    :meth:`loss` and :meth:`predict`, so that a head can't depend on another one. Sources are

    - ``'<view>'``: the frames of a view, normalized, ``[B, C, T, H, W]``, or its skeletons,
      ``[B, M, T, V, C]``;
    - ``'<view>_valid'``: of skeletons, which persons and frames are no padding, bool ``[B, M, T]``;
    - ``'<view>.feature_map'``: the student's map of an encoded view, ``[B, C', T', H', W']``;
    - ``'<view>.pooled'``: that map as one feature, ``[B, D]``;
    - ``'<view>.<adapter>'``: that map through an adapter of the model;
    - ``'<view>.momentum_feature_map'``, ``'<view>.momentum_pooled'`` and
      ``'<view>.momentum_<adapter>'``: the same by the momentum encoder, without gradient;
    - ``'<view>_<target>'``: a target, from the pipeline or a teacher.

    Parameters under an attribute whose name starts with ``discriminator`` are trained by the
    adversary's optimizer.

    Args:
        reads: Argument name -> source name.
    """

    def __init__(self, reads: dict[str, str], init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        self.reads = dict(reads)

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        """The head's own momentum copies, each with what it follows."""
        return []

    @abstractmethod
    def loss(self, *args: Any, **sources: Any) -> dict[str, Tensor]:
        """Losses (names that contain ``loss``, summed) and metrics (other names, only logged).

        Losses whose names also contain ``generator`` or ``discriminator`` are adversarial: their
        size does not say how far a task is, and balancers do not read it.
        """

    @abstractmethod
    def predict(self, *args: Any, **sources: Any) -> dict[str, Tensor]:
        """Predictions, batch axis first; what has no other axis is a metric, averaged over samples.

        NaN marks a sample for which a metric is not defined.
        """
