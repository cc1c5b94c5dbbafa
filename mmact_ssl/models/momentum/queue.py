"""Queue of keys of earlier batches, for a contrast."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.losses.common import gather


class FeatureQueue(nn.Module):
    """Queue of the latest keys of all processes, first in, first out.

    Source: MoCo (arXiv 1911.05722), section 3.2. MoCo's queue starts with noise; here unfilled
    places do not count (our choice). Every process enqueues the keys of all processes, in the order
    of ranks, so that all queues are equal.

    Args:
        size, channels: K keys of size D.
        labels: Number of labels stored with each key, such as its video.
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
        """Forget all keys, for a run that starts from the weights of another run."""
        for buffer in self.buffers():
            buffer.zero_()

    @torch.no_grad()
    def enqueue(self, features: Tensor, labels: Tensor) -> None:
        """Replace the oldest keys by keys ``(N, D)`` with labels int64 ``(N, labels)``."""
        size = len(self.features)
        # If there are more keys than places, only the last ones stay.
        everyone = gather(features.float())
        skipped = max(len(everyone) - size, 0)
        rows = torch.arange(skipped, len(everyone), device=everyone.device)
        places = (self.pointer + rows) % size
        self.features.index_copy_(0, places, everyone[skipped:])
        self.labels.index_copy_(0, places, gather(labels)[skipped:])
        self.filled.index_fill_(0, places, True)
        self.pointer.copy_((self.pointer + len(everyone)) % size)
