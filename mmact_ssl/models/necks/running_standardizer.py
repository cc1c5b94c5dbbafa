"""Zero mean and unit deviation for targets whose statistics are not known beforehand."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses import gather


class RunningStandardizer(nn.Module):
    """Subtract the running mean of each channel and divide by its running deviation.

    Unlike in batch normalization, all batches of late training share one map. With ``m`` the
    momentum, after ``t`` updates::

        mean = (1 - m) * sum over s of m^(t - s) * batch_mean_s / (1 - m^t)

    the same for the mean of squares (Adam's correction of a start at zero, arXiv 1412.6980, section
    3). Statistics are those of all processes together. Our choice.

    Args:
        channels: D.
        momentum: Share of the old, ``0 <= m < 1``.
    """

    mean: Tensor
    square: Tensor
    updates: Tensor

    def __init__(self, channels: int, momentum: float = 0.99) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('mean', torch.zeros(channels))
        self.register_buffer('square', torch.zeros(channels))
        self.register_buffer('updates', torch.tensor(0))

    @torch.no_grad()
    def forward(self, values: Tensor, valid: Optional[Tensor] = None) -> Tensor:
        """Standardize ``[N, D]``; in training mode after an update with them. No gradient.

        Rows that are not ``valid``, bool ``[N]``, do not enter the statistics. A channel that
        hardly varies is divided by a hundredth of the mean deviation. Before the first update,
        values are returned as they are.
        """
        values = values.float()
        everyone = gather(values) if self.training else values[:0]
        if self.training and valid is not None:
            everyone = everyone[gather(valid)]
        if len(everyone):
            self.mean.lerp_(everyone.mean(0), 1 - self.momentum)
            self.square.lerp_(everyone.square().mean(0), 1 - self.momentum)
            self.updates += 1
        if not self.updates:
            return values
        correction = 1 - self.momentum ** float(self.updates)
        mean, square = self.mean / correction, self.square / correction
        deviation = (square - mean.square()).clamp(min=0).sqrt()
        floor = (0.01 * deviation.mean()).clamp(min=1e-6)
        return (values - mean) / torch.maximum(deviation, floor)
