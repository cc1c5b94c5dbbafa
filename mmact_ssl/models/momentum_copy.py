# SPDX-License-Identifier: Apache-2.0
"""A copy of a network that follows it slowly and makes the keys of a contrast."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mmact_ssl.errors import ConfigError


class MomentumCopy(AveragedModel):
    """The exponential moving average of a network, without gradient and always in eval mode.

    After each step of the optimiser, with ``m`` the momentum, parameters and the running statistics
    of batch normalisation become ``copy = m * copy + (1 - m) * source``. Sources: MoCo (He et al.,
    arXiv 1911.05722, equation 2) for the parameters; EMAN (Cai et al., arXiv 2101.08482) for the
    statistics. MoCo's own copy normalises by each batch and shuffles samples across GPUs, for a
    batch's statistics would tell which key belongs to which query. With averaged statistics a key
    depends on its own sample alone, on one GPU too, and there is nothing to shuffle.

    :class:`MomentumCopyHook` calls :meth:`start` before training and ``update_parameters`` after
    each step.

    Args:
        source: the network, which is not registered here.
        momentum: share of the old, ``0 <= m < 1``.

    Raises:
        ConfigError: no such momentum.
    """

    def __init__(self, source: nn.Module, momentum: float = 0.999) -> None:
        if not 0 <= momentum < 1:
            raise ConfigError(f'momentum={momentum} of a momentum encoder: use 0 <= momentum < 1')
        super().__init__(source, multi_avg_fn=get_ema_multi_avg_fn(momentum), use_buffers=True)
        self.requires_grad_(False)
        self.train(False)
        # A Python flag, for to ask a tensor on the GPU would wait for it in every step.
        self.started = False

    def start(self, source: nn.Module) -> None:
        """Take over the source's values unless the copy has its own, from a resumed run."""
        if self.n_averaged == 0:
            self.update_parameters(source)
        self.started = True

    def train(self, mode: bool = True) -> MomentumCopy:
        """Stay in evaluation mode whatever the student does."""
        super().train(False)
        return self
