"""Moving average of a network, which makes the keys of a contrast."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce_params
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel


class MomentumCopy(AveragedModel):
    """Exponential moving average of a network, without gradient and always in eval mode.

    After each step of the optimizer, with ``m`` the momentum, parameters and the running statistics
    of batch normalization become ``copy = m * copy + (1 - m) * source``. Sources: MoCo (He et al.,
    arXiv 1911.05722, equation 2) for the parameters; EMAN (Cai et al., arXiv 2101.08482) for the
    statistics. With them a key depends only on its own sample, so that samples need not be shuffled
    across GPUs as in MoCo.

    The statistics start at mean 0 and variance 1; with a constant m, keys would not be normalized
    well for 1 / (1 - m) steps. So a network with batch normalization warms up: it uses
    ``min(m, (1 + n) / (10 + n))`` instead of m, with ``n`` the number of updates so far. This holds
    for its weights too, because weights and statistics must fit: otherwise all keys would be alike.
    It holds for the other copies of a model as well, see :class:`MomentumCopyHook`. The statistics
    are averaged over all processes, so that all have the copy of the checkpoint (all our choice).

    :class:`MomentumCopyHook` calls :meth:`start` before training, :meth:`follow` after each step.

    Args:
        source: The network; it does not become a submodule.
        momentum: Momentum m, ``0 <= m < 1``.

    Attributes:
        warms_up: True if the first updates have a smaller momentum.
    """

    def __init__(self, source: nn.Module, momentum: float = 0.999) -> None:
        super().__init__(source, multi_avg_fn=self._move, use_buffers=True)
        self.momentum = momentum
        self.requires_grad_(False)
        self.train(False)
        self.warms_up = bool(self._statistics())
        # A Python flag, because a tensor would have to be fetched from the GPU in every step.
        self.started = False

    def _statistics(self) -> list[Tensor]:
        layers = [layer for layer in self.module.modules() if isinstance(layer, _BatchNorm)]
        buffers = [buffer for layer in layers for buffer in layer.buffers(recurse=False)]
        return [buffer for buffer in buffers if buffer.is_floating_point()]

    @torch.no_grad()
    def _move(self, own: Sequence[Tensor], others: Sequence[Tensor], updates: Tensor | int) -> None:
        """Move tensors of one type towards those of the source."""
        if not own[0].is_floating_point():  # the number of batches, which is unused
            return
        # A tensor, so that nothing waits for the GPU.
        step = torch.full((), 1 - self.momentum, device=own[0].device)
        if self.warms_up:
            step = step.maximum(9 / (10 + torch.as_tensor(updates)))
        for value, other in zip(own, others):
            value.lerp_(other, step.to(value.dtype))

    def start(self, source: nn.Module, anew: bool = False) -> None:
        """Copy the source's values. A resumed run keeps its own unless ``anew``."""
        if anew:
            self.n_averaged.zero_()
        if self.n_averaged == 0:
            self.follow(source)
        self.started = True

    @torch.no_grad()
    def follow(self, source: nn.Module) -> None:
        """Move towards the source; the first call copies its values."""
        self.update_parameters(source)
        all_reduce_params(self._statistics(), op='mean')

    def train(self, mode: bool = True) -> MomentumCopy:
        """Stay in evaluation mode."""
        super().train(False)
        return self
