"""Keys of earlier batches, to contrast with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses.common import gather


class FeatureQueue(nn.Module):
    """The latest keys of all processes, first in, first out.

    Source: MoCo (arXiv 1911.05722), section 3.2. There the queue starts with noise; here places
    that were never filled take no part (our choice). Every process enqueues the keys of all, in the
    order of ranks, so that the queues do not differ.

    Args:
        size, channels: K keys of size D.
        labels: Numbers that are kept beside each key, such as its video.
    """

    features: Tensor
    labels: Tensor
    pointer: Tensor
    filled: Tensor

    def __init__(self, size: int, channels: int, labels: int = 1) -> None:
        super().__init__()
        self.register_buffer('features', torch.zeros(size, channels))
        self.register_buffer('labels', torch.zeros(size, labels, dtype=torch.int64))
        self.register_buffer('pointer', torch.tensor(0))
        self.register_buffer('filled', torch.zeros(size, dtype=torch.bool))

    def restart(self) -> None:
        """Forget all keys, as a run must that starts from the weights of another."""
        for buffer in self.buffers():
            buffer.zero_()

    @torch.no_grad()
    def enqueue(self, features: Tensor, labels: Tensor) -> None:
        """Put keys ``(N, D)`` and their int64 ``(N, labels)`` in the place of the oldest ones."""
        size = len(self.features)
        # Of more keys than there are places the last ones stay.
        everyone = gather(features.float())
        skipped = max(len(everyone) - size, 0)
        rows = torch.arange(skipped, len(everyone), device=everyone.device)
        places = (self.pointer + rows) % size
        self.features.index_copy_(0, places, everyone[skipped:])
        self.labels.index_copy_(0, places, gather(labels)[skipped:])
        self.filled.index_fill_(0, places, True)
        self.pointer.copy_((self.pointer + len(everyone)) % size)
