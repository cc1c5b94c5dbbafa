"""Fusion of a static and a dynamic map."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

EPSILON = 1e-5  # added to variances


def adaptive_instance_norm(
    content: Tensor, style: Tensor, pool: Callable[[Tensor], Tensor]
) -> Tensor:
    """Give each channel of the content map the style map's mean and standard deviation.

    ``std(style) * (content - mean(content)) / std(content) + mean(style)``, moments over T, H, W.
    Source: Huang and Belongie, ICCV 2017 (arXiv 1703.06868), equation 8. CSVR is reported to fuse
    its static (content) and dynamic (style) features in this way.

    The result's mean over T, H and W is ``mean(style)`` for any content. So do not average a fused
    map over space.

    Args:
        content, style: ``(B, C, T, H, W)``; T, H and W may differ between the two.
        pool: Function that averages the result over positions, ``(B, C, T, H, W)`` to ``(B, C, T',
            H', W')``. It is applied to the content, which is equivalent and cheaper, because each
            channel is scaled and shifted as a whole.
    """
    # Squares of half-precision features overflow.
    precision = torch.promote_types(content.dtype, torch.float32)
    content, style = content.to(precision), style.to(precision)
    axes = (2, 3, 4)
    content_mean, style_mean = content.mean(axes, True), style.mean(axes, True)
    content_std = (content.var(axes, keepdim=True, unbiased=False) + EPSILON).sqrt()
    style_std = (style.var(axes, keepdim=True, unbiased=False) + EPSILON).sqrt()
    return style_std * (pool(content) - content_mean) / content_std + style_mean
