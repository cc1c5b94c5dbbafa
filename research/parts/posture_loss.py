"""Distance of joints that also compares how bodies stand and move, independent of the crop."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.models.losses.distances import JointLoss
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class PostureLoss(JointLoss):
    """Smooth-L1 distance of joints, in the view and about each body's own place.

    ``body(p)`` are a clip's joints relative to their mean, divided by their size, which is the root
    mean square of their distances from the mean; both are weighted by visibility::

        distance(p, target; beta)  +  posture * distance(body(p), body(target); 3 beta)

    A body's size is about a third of half a view, hence ``3 beta``.

    Args:
        beta: Distance at which the loss changes from quadratic to linear, in units of the poses.
        posture: Weight of the second part.
    """

    def __init__(self, beta: float, posture: float) -> None:
        super().__init__(beta)
        self.posture = posture

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Distance of each joint, ``(B, T, V, C) -> (B, T, V)``."""
        target = target.where(weight[..., None] > 0, target.new_zeros(()))
        bodies = (_body(prediction, weight), _body(target, weight))
        apart = F.smooth_l1_loss(*bodies, reduction='none', beta=3 * self.beta).mean(-1)
        return super().forward(prediction, target, weight) + self.posture * apart


def _body(poses: Tensor, weight: Tensor) -> Tensor:
    """Joints of a clip relative to their mean place, in units of their size, ``(B, T, V, C)``."""
    share = (weight / weight.sum((1, 2), keepdim=True).clamp(min=1e-6))[..., None]
    poses = poses - (share * poses).sum((1, 2), keepdim=True)
    square = (share * poses.square()).sum((1, 2, 3), keepdim=True)
    # Joints in one place, or unseen joints, have no size. The root of 0 has no gradient.
    return poses / square.clamp(min=1e-4).sqrt()
