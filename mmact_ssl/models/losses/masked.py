"""Errors of predictions at masked places."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import full_precision


def normalize_patches(patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give each channel of each patch mean 0 and deviation 1.

    Args:
        patches: ``(..., n, C)``, the n >= 2 values of each channel of a patch.

    Returns:
        The patches, and their means and deviations ``(..., 1, C)``. The deviation is the root of
        the unbiased variance plus 1e-6, so that a patch without contrast becomes 0.
    """
    variance, mean = torch.var_mean(patches, dim=-2, keepdim=True)
    deviation = (variance + 1e-6).sqrt()
    return (patches - mean) / deviation, mean, deviation


def patch_error(prediction: Tensor, patches: Tensor) -> Tensor:
    """Mean squared error of each normalized patch, ``(..., n, C)`` to ``(...)``.

    Source: VideoMAE (arXiv 2203.12602) normalizes each color of a patch of pixels by its own mean
    and deviation; MAMP (arXiv 2308.07092, released code) all values of a joint's motion in a
    segment, which is C = 1.
    """
    with full_precision(prediction):
        target = normalize_patches(patches)[0]
        return (prediction.to(target.dtype) - target).square().mean((-2, -1))


@MODELS.register_module()
class PatchLoss(nn.Module):
    """Mean squared error of patches normalized by their own statistics, see :func:`patch_error`."""

    def forward(self, prediction: Tensor, patches: Tensor) -> Tensor:
        return patch_error(prediction, patches)

    def restore(self, prediction: Tensor, patches: Tensor) -> Tensor:
        """Predicted values in the units of the patches, with the patches' own statistics."""
        _, mean, deviation = normalize_patches(patches)
        return prediction * deviation + mean


def latent_error(prediction: Tensor, features: Tensor) -> Tensor:
    """Mean absolute distance to layer-normalized features, ``(..., C)`` to ``(...)``.

    The features get no gradient. With ``z`` the features at mean 0 and deviation 1 over the
    channels, it is the mean of ``|prediction - z|``. Source: V-JEPA (arXiv 2404.08471, released
    code).
    """
    with full_precision(prediction):
        target = normalize_features(features)
        return (prediction.to(target.dtype) - target).abs().mean(-1)


def normalize_features(features: Tensor) -> Tensor:
    """Layer normalization without weights, in float32 or better and without gradient."""
    precise = features.detach().to(torch.promote_types(features.dtype, torch.float32))
    return F.layer_norm(precise, precise.shape[-1:])


@MODELS.register_module()
class LatentLoss(nn.Module):
    """Mean absolute distance to layer-normalized features, see :func:`latent_error`."""

    def forward(self, prediction: Tensor, features: Tensor) -> Tensor:
        return latent_error(prediction, features)
