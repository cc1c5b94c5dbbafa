"""Cross-entropy over the rows that have a class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.errors import ConfigError

from .gather import global_mean


def classification_loss(logits: Tensor, target: Tensor, owner: str) -> dict[str, Tensor]:
    """Mean cross-entropy and accuracy of the rows whose target is not -1, which means none.

    Args:
        logits: ``[N, K]``.
        target: int64 ``[N]``, -1..K-1.
        owner: Who calls, for the error message.

    Returns:
        ``loss``, 0 with a gradient of zero where no row has a target, and ``accuracy``, 0 there.

    Raises:
        ConfigError: A target is not below K. Noticed on CPU only: to look at numbers on a GPU would
            stop it at every step, and its own check ends the run with a device-side assertion.
    """
    try:
        cross_entropy = F.cross_entropy(logits.float(), target, ignore_index=-1, reduction='none')
    except IndexError as error:
        raise ConfigError(
            f'{owner} has {logits.shape[1]} classes, but the data set gives others: {error}'
        ) from error
    known = (target != -1).to(cross_entropy.dtype)
    with torch.no_grad():
        hit = (logits.argmax(1) == target).to(known.dtype)
        accuracy = hit.sum() / known.sum().clamp(min=1)
    return dict(loss=global_mean(cross_entropy, known), accuracy=accuracy)
