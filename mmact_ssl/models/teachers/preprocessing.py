"""Preprocessing of frames of any size to a network's input, in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class FrameInput:
    """Resize, channel order and normalization of a network's input.

    Args:
        size: (height, width) of the input in pixels.
        mean, std: Of each channel, in units of 0..255 and in the network's channel order.
        bgr: The network reads BGR.
        letterbox: Keep the frame's aspect, centered on black, instead of stretching it.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    bgr: bool = False
    letterbox: bool = False

    def __call__(self, frames: Tensor) -> Tensor:
        """Prepare uint8 RGB ``(N, 3, H, W)``: float32 ``(N, 3, *size)``, normalized."""
        if self.letterbox:
            height, width, top, left = letterbox_geometry(
                frames.shape[2], frames.shape[3], self.size
            )
            images = torch.zeros(*frames.shape[:2], *self.size, device=frames.device)
            images[:, :, top : top + height, left : left + width] = scale(frames, (height, width))
        else:
            images = scale(frames, self.size)
        if self.bgr:
            images = images.flip(1)
        mean, std = (images.new_tensor(v).reshape(-1, 1, 1) for v in (self.mean, self.std))
        return (images - mean) / std

    def identity(self) -> dict[str, Any]:
        """Return the settings for a fingerprint."""
        settings = asdict(self)
        resize = 'letterbox' if settings.pop('letterbox') else 'stretch'
        # The short side stands in the fingerprints of caches that exist.
        return {**settings, 'resize': resize, 'short_side': 0}


def scale(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale ``(N, C, H, W)`` to ``(N, C, *size)`` float32, bilinear with antialiasing."""
    images = images.float()
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size, mode='bilinear', align_corners=False, antialias=True)


def letterbox_geometry(height: int, width: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(height, width, top, left) in pixels of a frame with its aspect, centered in a box."""
    factor = min(size[0] / height, size[1] / width)
    new_height = max(1, min(size[0], round(height * factor)))
    new_width = max(1, min(size[1], round(width * factor)))
    return new_height, new_width, (size[0] - new_height) // 2, (size[1] - new_width) // 2


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Write a side, or (height, width), as (height, width)."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
