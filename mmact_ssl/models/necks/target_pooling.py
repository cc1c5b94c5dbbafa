"""Pooling of a teacher's targets of frames to an embedding of the clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.common import gather
from mmact_ssl.models.losses.distances import MIN_SCORE


class PooledTarget(nn.Module):
    """Standardized embedding of a clip from a teacher's targets.

    It is the mean over the clip's valid frames, standardized (:class:`RunningStandardizer`),
    because features after a ReLU all point in similar directions. Poses are converted to the body's
    frame (:func:`body_frame`). Each joint is averaged over the frames in which it is known; a joint
    that is never known stays at the body's center. Pose networks return a place for every joint,
    even in an empty frame, so a joint counts as known from the score MIN_SCORE on (our choice).

    Args:
        channels: Number of values of the target per frame.
        joints: Number of joints of a pose teacher, instead of ``channels``.
        deviation: Append the standard deviation over the clip's frames, which shows the motion.
    """

    def __init__(
        self, channels: int = 0, joints: int | None = None, deviation: bool = False
    ) -> None:
        super().__init__()
        self.is_pose = joints is not None
        self.deviation = deviation
        values = channels if joints is None else 2 * joints
        self.channels = values * (2 if deviation else 1)
        self.standardizer = RunningStandardizer(self.channels)

    def forward(
        self, targets: Sequence[Tensor], valid: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute embeddings of two clips of the same videos, without gradient.

        Args:
            targets, valid: For each of the two clips, as in :func:`pool_target`.

        Returns:
            The embeddings ``(B, D)`` of both clips, 0 where not seen; and ``seen``, bool ``(B,)``,
            True if both clips have a valid target.
        """
        raw, counts = [], []
        for target, mask in zip(targets, valid):
            if self.is_pose:
                mask = mask[..., None] & (target[..., 2] >= MIN_SCORE)  # (B, T, V)
                target = body_frame(target, mask)
            raw.append(pool_target(target, mask, self.deviation))
            counts.append(mask.flatten(1).any(1))
        if raw[0].shape[1] != self.channels:
            raise ConfigError(
                f'a teacher gives {raw[0].shape[1]} values a clip, but {self.channels} are '
                'expected: correct its channels (or joints, deviation) in teachers of the head'
            )
        # Together, so that both clips of a video are standardized equally.
        seen = counts[0] & counts[1]
        both = self.standardizer(torch.cat(raw), seen.repeat(2))
        first, second = both.masked_fill(~seen.repeat(2)[:, None], 0).chunk(2)
        return first, second, seen


def pool_target(target: Tensor, valid: Tensor, deviation: bool = False) -> Tensor:
    """Mean of a teacher's targets over valid frames, with ``deviation`` also their deviation.

    Args:
        target: ``(B, T, ...)``, or ``(B, 1, ...)``, one for the whole clip.
        valid: bool ``(B, T)``, False for padding; or ``(B, T, V)``, for each entry of the target's
            third axis.

    Returns:
        ``(B, D)``, 0 for values without a valid frame.
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


def body_frame(poses: Tensor, known: Tensor) -> Tensor:
    """Convert joints to positions relative to the body's center, in units of its size.

    The result does not depend on position and size of a crop. A crop that is not square, resized to
    a square, stretches the body and changes the result: by 18 % between the extreme aspects of
    RandomResizedCrop, 3/4 and 4/3.

    A clip has one center ``c`` and one size. With ``w_v`` the mean score of a joint over the frames
    in which it is known, ``p_v`` its places there, and means over these frames, ``c = sum of w_v
    mean(p_v) / sum of w_v`` and ``size^2 = sum of w_v mean(|p_v - c|^2) / sum of w_v``; a joint
    becomes ``(p_v - c) / size``. With a center in each frame a joint that is hidden, or found less
    surely, would move all others. Our choice.

    Args:
        poses: ``(B, T, V, 3)``, x, y and score.
        known: bool ``(B, T, V)``, False for joints that were not found and for padding.

    Returns:
        ``(B, T, V, 2)``, 0 where not known.
    """
    points, score = poses.detach().float().split([2, 1], dim=-1)
    share = known / known.sum(1, keepdim=True).clamp(min=1)  # (B, T, V), of a joint's mean
    weight = (share * score[..., 0]).sum(1, keepdim=True)
    weight = (share * weight / weight.sum(2, keepdim=True).clamp(min=1e-6))[..., None]
    relative = points - (weight * points).sum((1, 2), keepdim=True)
    size = (weight * relative.square().sum(-1, keepdim=True)).sum((1, 2), keepdim=True).sqrt()
    return (relative / size.clamp(min=1e-3)).masked_fill(~known[..., None], 0)


class RunningStandardizer(nn.Module):
    """Module that subtracts each channel's running mean and divides by its running deviation.

    Unlike batch normalization it treats all batches of late training nearly equally. Mean and
    variance are averages over all rows so far and all processes; a batch counts ``m`` times as much
    as the next batch, with ``m`` the momentum (an average as Adam's, corrected for its start at
    zero, arXiv 1412.6980, section 3). Our choice.
    """

    momentum = 0.99
    mean: Tensor
    variance: Tensor
    updates: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer('mean', torch.zeros(channels))
        self.register_buffer('variance', torch.zeros(channels))
        self.register_buffer('updates', torch.tensor(0))

    def restart(self) -> None:
        """Reset the statistics, for a run with other targets."""
        for buffer in self.buffers():
            buffer.zero_()

    @torch.no_grad()
    def forward(self, values: Tensor, valid: Tensor | None = None) -> Tensor:
        """Standardize ``(N, D)`` without gradient; in training mode first update the statistics.

        Only ``valid`` rows, bool ``(N,)``, enter the statistics. A channel that hardly varies is
        divided by a hundredth of the mean deviation. Before the first update values do not change.
        """
        values = values.float()
        everyone = gather(values) if self.training else values[:0]
        if self.training and valid is not None:
            everyone = everyone[gather(valid)]
        if len(everyone):
            self.updates += 1
            share = (1 - self.momentum) / (1 - self.momentum ** float(self.updates))
            # Not as mean of squares minus squared mean: if the mean is a thousand deviations, only
            # rounding errors would be left.
            step = everyone.mean(0) - self.mean
            self.mean += share * step
            self.variance.lerp_(everyone.var(0, unbiased=False), share)
            self.variance += share * (1 - share) * step.square()
        if not self.updates:
            return values
        deviation = self.variance.sqrt()
        floor = (0.01 * deviation.mean()).clamp(min=1e-6)
        return (values - self.mean) / torch.maximum(deviation, floor)
