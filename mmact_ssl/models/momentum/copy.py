"""A copy of a network that follows it slowly and makes the keys of a contrast."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MomentumCopy(AveragedModel):
    """The exponential moving average of a network, without gradient and always in eval mode.

    After each step of the optimizer, with ``m`` the momentum, parameters and the running statistics
    of batch normalization become ``copy = m * copy + (1 - m) * source``. Sources: MoCo (He et al.,
    arXiv 1911.05722, equation 2) for the parameters; EMAN (Cai et al., arXiv 2101.08482) for the
    statistics, with which a key depends on its own sample alone, so that nothing has to be shuffled
    across GPUs as in MoCo.

    The statistics start at mean 0 and variance 1, and at this rate keys would hardly be normalized
    for 1 / (1 - m) steps. So floating-point buffers keep the share ``min(m, (1 + n) / (10 + n))``,
    with ``n`` the number of updates so far. They are averaged over all processes, so that all have
    the copy that a checkpoint keeps (both our choice).

    :class:`MomentumCopyHook` calls :meth:`start` before training, :meth:`follow` after each step.

    Args:
        source: The network, which is not registered here.
        momentum: Share of the old, ``0 <= m < 1``.
    """

    def __init__(self, source: nn.Module, momentum: float = 0.999) -> None:
        super().__init__(source, multi_avg_fn=get_ema_multi_avg_fn(momentum), use_buffers=True)
        self.momentum = momentum
        self.requires_grad_(False)
        self.train(False)
        # A Python flag, because a tensor would have to be fetched from the GPU in every step.
        self.started = False

    def start(self, source: nn.Module, anew: bool = False) -> None:
        """Take over the source's values; those of a resumed run stay unless ``anew``."""
        if anew:
            self.n_averaged.zero_()
        if self.n_averaged == 0:
            self.follow(source)
        self.started = True

    @torch.no_grad()
    def follow(self, source: nn.Module) -> None:
        """Move towards the source; at first, take over its values."""
        # A tensor, so that nothing waits for the GPU; at last the step is 0.
        share = (1 + self.n_averaged) / (10 + self.n_averaged)
        self.update_parameters(source)
        # Buffers have kept m of themselves, and share / m of that is wanted.
        step = 1 - (share / self.momentum).clamp(max=1)
        for buffer, own in zip(self.module.buffers(), source.buffers()):
            if buffer.is_floating_point():
                buffer.lerp_(own, step.to(buffer.dtype))
        average_statistics(self.module)

    def train(self, mode: bool = True) -> MomentumCopy:
        """Stay in evaluation mode whatever the student does."""
        super().train(False)
        return self


@torch.no_grad()
def average_statistics(module: nn.Module) -> None:
    """Give the floating-point buffers of a network their mean over all processes."""
    statistics = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
    if get_world_size() == 1 or not statistics:
        return
    joined = torch.cat([buffer.flatten() for buffer in statistics])
    all_reduce(joined, op='mean')
    parts = joined.split([buffer.numel() for buffer in statistics])
    for buffer, part in zip(statistics, parts):
        buffer.copy_(part.view_as(buffer))
