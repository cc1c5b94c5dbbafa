"""Distances of joints and of frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

MIN_SCORE = 0.2  # of a known joint; MoveNet's scores are lower if no person is visible


@MODELS.register_module()
class JointLoss(nn.Module):
    """Smooth-L1 distance of joints, to be averaged by their visibility.

    Args:
        beta: Distance at which the loss changes from quadratic to linear, in units of the poses.
    """

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Distance of each joint, ``(B, T, V, C) -> (B, T, V)``.

        The target of a joint of weight (visibility) 0 may be NaN. The distance is finite, and has a
        gradient until the caller multiplies it by the weight.
        """
        target = without_unseen(target, weight)
        return F.smooth_l1_loss(prediction, target, reduction='none', beta=self.beta).mean(-1)


def joint_distance(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Euclidean distance of each joint, ``(..., V, C) -> (..., V)``, finite where weight is 0."""
    return (prediction - without_unseen(target, weight)).norm(dim=-1)


def without_unseen(poses: Tensor, weight: Tensor) -> Tensor:
    """Poses ``(..., V, C)`` with 0 for joints of weight 0: they may be NaN, and 0 * nan is nan."""
    return poses.where(weight[..., None] > 0, 0.0)


@torch.no_grad()
def draw_errors(draws: Tensor, target: Tensor, weight: Tensor, last: Tensor) -> dict[str, Tensor]:
    """Compute mean joint distances of each clip in fractions of the view, {name: ``(B,)``}.

    ``error`` is the mean over the draws, ``error_best`` the error of the best draw,
    ``error_of_mean`` that of the draws' mean pose, ``error_repeat_last`` that of the last pose.

    Args:
        draws: Futures in half views, ``(K, B, T, V, 2)``.
        target, weight: ``(B, T, V, 2)`` and ``(B, T, V)``.
        last: The last observed pose ``(B, 1, V, 2)``.
    """

    def error(poses: Tensor) -> Tensor:
        distance = (joint_distance(poses, target, weight) * weight).sum((-2, -1))
        # From half views to views. A clip without a seen joint has the error 0.
        return distance / weight.sum((-2, -1)).clamp(min=1e-12) / 2

    each = error(draws)  # (K, B)
    return dict(
        error=each.mean(0),
        error_best=each.amin(0),
        error_of_mean=error(draws.mean(0)),
        error_repeat_last=error(last),
    )


@MODELS.register_module()
class MotionLoss(nn.Module):
    """Mean squared error of the frames of skeleton clips.

    Only valid frames of present persons count, our choice. MS2L's released code (arXiv 2010.05599)
    pads every clip to 300 frames, sets predictions in the padding to 0, counts these frames in the
    mean, and lets the model predict absent persons as 0. Shorter clips then have smaller losses.

    Args:
        padded_frames: Number of frames in the mean of every clip, 300 as published; in a batch of
            longer clips the next multiple. None: the valid frames.
    """

    def __init__(self, padded_frames: int | None = None) -> None:
        super().__init__()
        self.padded_frames = padded_frames

    def forward(self, prediction: Tensor, clip: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Error and weight ``(B, M, T)`` for ``(B, M, T, V, C)``; padding of the clip is 0."""
        square = (prediction - clip).square().mean((3, 4))  # (B, M, T)
        if self.padded_frames is None:
            return square, valid.to(square.dtype)
        within = valid.any(1, keepdim=True).to(square.dtype)  # (B, 1, T)
        frames = valid.shape[2]
        # The mean with this weight is the sum over valid frames, divided by the counted frames.
        counted = -(-frames // self.padded_frames) * self.padded_frames
        weight = square.new_full((), counted / frames)
        return square * within / weight, weight.expand_as(square)


@MODELS.register_module()
class FrameLoss(nn.Module):
    """Smooth-L1 distance of normalized frames, averaged over colors and positions."""

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Distance of each frame, ``(B, 3, T, H, W) -> (B, T)``."""
        return F.smooth_l1_loss(fake, real, reduction='none').mean((1, 3, 4))


def centered(pose: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Center coordinates to -1..1 and compute weights, ``(B, T, V, 2)`` and ``(B, T, V)``.

    The weight is the visibility, but 0 for padding and for scores below :data:`MIN_SCORE`, which
    are guesses (our choice). A joint outside the view, which a crop has cut away, keeps its weight:
    the body that is in the view tells where it may be (our choice). The coordinates of joints
    without weight may be NaN and become 0.
    """
    score = pose[..., 2]
    weight = score.where(valid[..., None] & (score >= MIN_SCORE), 0.0)
    return without_unseen(pose[..., :2] * 2 - 1, weight), weight
