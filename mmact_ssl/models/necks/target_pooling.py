"""One embedding of a clip from a teacher's targets of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.losses.common import gather
from mmact_ssl.models.losses.distances import MIN_SCORE


class PooledTarget(nn.Module):
    """A teacher's targets of a clip as one standardized embedding.

    The mean over the clip's valid frames, standardized (:class:`RunningStandardizer`), because
    features behind a ReLU all point one way. Poses are moved into the body's frame
    (:func:`body_frame`), and each joint has its own valid frames, those in which it is known; one
    that is never known stays at the body's center. A pose network names a place for every joint,
    in an empty frame too, so that a joint is known from the score MIN_SCORE on (our choice).

    Args:
        channels: Number of values of the target per frame.
        joints: Number of joints of a pose teacher, in place of channels.
        deviation: Append the deviation over the clip's frames: what moves.
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
        """Embeddings of two clips of the same videos. No gradient.

        ``targets`` and ``valid`` of each as in :func:`pool_target`. Gives the embeddings ``(B, D)``
        of both, 0 where not seen, and ``seen``, bool ``(B,)``: the teacher finds something in both.
        """
        raw, counts = [], []
        for target, mask in zip(targets, valid):
            if self.is_pose:
                known = target[..., 2] >= MIN_SCORE  # (B, T, V): each joint by itself
                mask = mask[..., None] & known
                target = body_frame(target * known[..., None])
            raw.append(pool_target(target, mask, self.deviation))
            counts.append(mask.flatten(1).any(1))
        if raw[0].shape[1] != self.channels:
            raise ConfigError(
                f'a teacher gives {raw[0].shape[1]} values a clip, but {self.channels} are '
                'expected: correct its channels (or joints, deviation) in teachers of the head'
            )
        # Together: clips of one video must meet one and the same map.
        seen = counts[0] & counts[1]
        both = self.standardizer(torch.cat(raw), seen.repeat(2))
        first, second = both.masked_fill(~seen.repeat(2)[:, None], 0).chunk(2)
        return first, second, seen


def pool_target(target: Tensor, valid: Tensor, deviation: bool = False) -> Tensor:
    """Mean of a teacher's targets over the valid frames, and after it their deviation if asked.

    Args:
        target: ``(B, T, ...)``, or ``(B, 1, ...)``, one for the whole clip.
        valid: bool ``(B, T)``, False where a frame only fills up the clip; or ``(B, T, V)``, for
            each entry of the target's third axis. ``(B, D)`` is 0 for what has no valid frame.
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
    """Joints relative to the body's center, in units of its size.

    They are alike wherever the crop lies and however large it is. A crop that is not as wide as
    high, resized to a square, stretches the body and changes them: by 18 % between the aspects
    3/4 and 4/3 that RandomResizedCrop draws at most.

    With ``w_v`` the scores, ``c = sum of w_v p_v / sum of w_v`` and
    ``size^2 = sum of w_v |p_v - c|^2 / sum of w_v``, a joint becomes ``(p_v - c) / size``: ``(B, T,
    V, 3)``, x, y and score, to ``(B, T, V, 2)``, 0 for unknown joints of score 0. Our choice.
    """
    points, score = poses.detach().float().split([2, 1], dim=-1)
    weight = score / score.sum(2, keepdim=True).clamp(min=1e-6)
    relative = points - (weight * points).sum(2, keepdim=True)
    size = (weight * relative.square().sum(-1, keepdim=True)).sum(2, keepdim=True).sqrt()
    return torch.where(score > 0, relative / size.clamp(min=1e-3), torch.zeros_like(relative))


class RunningStandardizer(nn.Module):
    """Subtract the running mean of each channel and divide by its running deviation.

    Unlike in batch normalization, all batches of late training share one map. Mean and variance are
    those of all rows so far, where a batch counts ``m`` times as much as the one after it, with
    ``m`` the momentum (an average as Adam's, corrected for its start at zero, arXiv 1412.6980,
    section 3). They are those of all processes together. Our choice.
    """

    mean: Tensor
    variance: Tensor
    updates: Tensor

    def __init__(self, channels: int, momentum: float = 0.99) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('mean', torch.zeros(channels))
        self.register_buffer('variance', torch.zeros(channels))
        self.register_buffer('updates', torch.tensor(0))

    def restart(self) -> None:
        """Forget the statistics, which are of another run's targets."""
        for buffer in self.buffers():
            buffer.zero_()

    @torch.no_grad()
    def forward(self, values: Tensor, valid: Tensor | None = None) -> Tensor:
        """Standardize ``(N, D)``; in training mode after an update with them. No gradient.

        Rows that are not ``valid``, bool ``(N,)``, do not enter the statistics. A channel that
        hardly varies is divided by a hundredth of the mean deviation. Before the first update,
        values are returned as they are.
        """
        values = values.float()
        everyone = gather(values) if self.training else values[:0]
        if self.training and valid is not None:
            everyone = everyone[gather(valid)]
        if len(everyone):
            self.updates += 1
            share = (1 - self.momentum) / (1 - self.momentum ** float(self.updates))
            # Not by the mean of squares: where a mean is a thousand deviations, rounding is all
            # that would be left of its difference to the squared mean.
            step = everyone.mean(0) - self.mean
            self.mean += share * step
            self.variance.lerp_(everyone.var(0, unbiased=False), share)
            self.variance += share * (1 - share) * step.square()
        if not self.updates:
            return values
        deviation = self.variance.sqrt()
        floor = (0.01 * deviation.mean()).clamp(min=1e-6)
        return (values - self.mean) / torch.maximum(deviation, floor)
