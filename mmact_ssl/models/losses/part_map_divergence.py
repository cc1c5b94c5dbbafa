"""Divergence and overlap of part maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.registry import MODELS


def as_distribution(maps: Tensor) -> Tensor:
    """Convert part maps to probabilities that sum to 1 over the parts, background first.

    Maps ``(B, T, C, h, w)`` in 0..1 of all parts, or of the person only (C = 1), become
    ``(B, T, max(C, 2), h, w)``. Pixels outside the frame have no part and stay 0; with C = 1 they
    are background.
    """
    if maps.shape[2] == 1:
        return torch.cat([1 - maps, maps], dim=2)
    # After rounding to bytes or interpolation the sum is not exactly 1.
    total = maps.sum(2, keepdim=True)
    return torch.where(total > 0.5, maps / total.clamp(min=0.5), torch.zeros_like(maps))


def part_logits(logits: Tensor) -> Tensor:
    """Logits over the parts, ``(B, T, max(C, 2), h, w)``; a person's become (0, logit)."""
    if logits.shape[2] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], dim=2)


@MODELS.register_module()
class PartMapDivergenceLoss(nn.Module):
    """Divergence of the student's part maps from the teacher's.

    At each pixel, with ``p`` the teacher's probabilities, ``p_c^(1/tau)`` scaled to sum 1 its
    softened ones, and ``q = softmax(logits / tau)``::

        divergence = tau^2 * sum over c of p_c * log(p_c / q_c)

    Source: Hinton et al., Distilling the knowledge in a neural network (arXiv 1503.02531), section
    2, whose factor tau^2 keeps the gradient's size. HCPG's own form is not known to us.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """Logits ``(B, T, C, h, w)`` and :func:`as_distribution` of the maps to ``(B, T, h, w)``.

        The divergence is 0 at pixels without a part.
        """
        precision = torch.promote_types(logits.dtype, torch.float32)
        log_student = F.log_softmax(part_logits(logits).to(precision) / self.temperature, dim=2)
        soft = teacher.detach().to(precision).pow(1 / self.temperature)
        soft = soft / soft.sum(2, keepdim=True).clamp(min=1e-12)
        terms = torch.special.xlogy(soft, soft) - soft * log_student
        return self.temperature**2 * terms.sum(2)


@torch.no_grad()
def part_overlap(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Mean intersection over union of the most probable parts, over each clip's valid pixels.

    The mean ``(B,)`` is over the parts that student or teacher shows; NaN if there is none.

    Args:
        student, teacher: Probabilities ``(B, T, C, h, w)``, background first.
        valid: bool ``(B, T, h, w)``.
    """
    parts = student.shape[2]
    shown = [
        (F.one_hot(maps.argmax(2), parts).bool() & valid[..., None]).flatten(1, 3)
        for maps in (student, teacher)
    ]  # (B, T*h*w, C) each
    intersection = (shown[0] & shown[1]).sum(1)[:, 1:].float()
    union = (shown[0] | shown[1]).sum(1)[:, 1:].float()
    return (intersection / union).nanmean(1)  # 0 / 0 is NaN
