"""Unit vectors and the precision in which similarities are computed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def full_precision(values: Tensor) -> torch.autocast:
    """Context without mixed precision.

    Half precision loses the small differences between the logits of many negatives, and mixed
    precision would multiply matrices in it whatever the type of the operands.
    """
    return torch.autocast(values.device.type, enabled=False)


def unit_rows(values: Tensor) -> Tensor:
    """Rows of length 1, in float32 or better; ``[..., D] -> [..., D]``."""
    return F.normalize(values.to(torch.promote_types(values.dtype, torch.float32)), dim=-1)
