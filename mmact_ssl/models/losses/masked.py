"""Errors of predictions at masked places."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.models.losses.common import full_precision
from mmact_ssl.registry import MODELS


def normalize_patches(patches: Tensor, as_pixels: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Give each channel of each patch mean 0 and deviation 1.

    Args:
        patches: ``(..., n, C)``, the n >= 2 values of each channel of a patch.
        as_pixels: A patch without contrast becomes 0, because 1e-6 is added to the deviation, as
            in VideoMAE's released code; else to the unbiased variance, as in MAMP's.

    Returns:
        The patches, and their means and deviations ``(..., 1, C)``.
    """
    variance, mean = torch.var_mean(patches, dim=-2, keepdim=True)
    deviation = variance.sqrt() + 1e-6 if as_pixels else (variance + 1e-6).sqrt()
    return (patches - mean) / deviation, mean, deviation


@MODELS.register_module()
class PatchLoss(nn.Module):
    """Mean squared error of patches normalized by their own statistics.

    Source: VideoMAE (arXiv 2203.12602) normalizes each color of a patch of pixels by its own mean
    and deviation; MAMP (arXiv 2308.07092, released code) all values of a joint's motion in a
    segment, which is C = 1.
    """

    def __init__(self, as_pixels: bool = False) -> None:
        super().__init__()
        self.as_pixels = as_pixels

    def forward(self, prediction: Tensor, patches: Tensor) -> Tensor:
        """Error of each patch, ``(..., n, C)`` to ``(...)``."""
        with full_precision(prediction):
            target = normalize_patches(patches, self.as_pixels)[0]
            return (prediction.to(target.dtype) - target).square().mean((-2, -1))

    def restore(self, prediction: Tensor, patches: Tensor) -> Tensor:
        """Predicted values in the units of the patches, with the patches' own statistics."""
        _, mean, deviation = normalize_patches(patches, self.as_pixels)
        return prediction * deviation + mean


def normalize_features(features: Tensor) -> Tensor:
    """Layer normalization without weights, in float32 or better and without gradient."""
    precise = features.detach().to(torch.promote_types(features.dtype, torch.float32))
    return F.layer_norm(precise, precise.shape[-1:])


@MODELS.register_module()
class LatentLoss(nn.Module):
    """Mean absolute distance to :func:`normalize_features`, which get no gradient.

    Source: V-JEPA (arXiv 2404.08471, released code).
    """

    def forward(self, prediction: Tensor, features: Tensor) -> Tensor:
        """``(..., C)`` to ``(...)``."""
        with full_precision(prediction):
            target = normalize_features(features)
            return (prediction.to(target.dtype) - target).abs().mean(-1)
