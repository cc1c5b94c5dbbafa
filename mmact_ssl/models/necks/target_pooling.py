"""One embedding of a clip from a teacher's targets of its frames."""

from __future__ import annotations

import torch
from torch import Tensor


def pool_target(target: Tensor, valid: Tensor, deviation: bool = False) -> Tensor:
    """Mean of a teacher's targets over the valid frames of a clip.

    Args:
        target: ``[B, T, ...]``, or ``[B, 1, ...]``, one for the whole clip.
        valid: bool ``[B, T]``, False where a frame only fills up the clip; or ``[B, T, V]``, V the
            target's third axis, where its entries do not count in the same frames.
        deviation: Append the deviation over the valid frames: what moves.

    Returns:
        float32 ``[B, D]``, D the product of the other axes, twice that with the deviation; 0 for
        what has no valid frame.
    """
    values = target.detach().float()  # (B, T or 1, ...)
    if values.shape[1] == 1:
        valid = valid[:, :1]
    weight = valid.to(values.dtype).view(*valid.shape, *[1] * (values.ndim - valid.ndim))
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    mean = (values * weight).sum(1)
    if not deviation:
        return mean.flatten(1)
    spread = ((values - mean[:, None]).square() * weight).sum(1).sqrt()
    return torch.cat([mean.flatten(1), spread.flatten(1)], dim=1)


def body_frame(poses: Tensor) -> Tensor:
    """Joints relative to the body's center, in units of its size: alike whatever the crop.

    With ``w_v`` the scores, ``c = sum of w_v p_v / sum of w_v`` and
    ``size^2 = sum of w_v |p_v - c|^2 / sum of w_v``, a joint becomes ``(p_v - c) / size``. Our
    choice.

    Args:
        poses: ``[B, T, V, 3]``: x, y, as fractions of the view's image, and score, 0 = unknown.

    Returns:
        float32 ``[B, T, V, 2]``; 0 for unknown joints.
    """
    points, score = poses.detach().float().split([2, 1], dim=-1)
    weight = score / score.sum(2, keepdim=True).clamp(min=1e-6)
    relative = points - (weight * points).sum(2, keepdim=True)
    size = (weight * relative.square().sum(-1, keepdim=True)).sum(2, keepdim=True).sqrt()
    return torch.where(score > 0, relative / size.clamp(min=1e-3), torch.zeros_like(relative))
