"""NT-Xent, the contrast of two sets with matching rows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_ssl.registry import MODELS

from .common import full_precision, gather_with_gradient, unit_rows


def nt_xent(
    first: Tensor, second: Tensor, temperature: float, self_similarity: float | None
) -> dict[str, Tensor]:
    """Normalized temperature-scaled cross-entropy of 2N rows, both directions.

    With ``u_1 .. u_2N`` the rows of both sets at unit length, ``i'`` the partner of row ``i`` and
    ``s_ij = u_i . u_j / temperature``, ``s_ii = self_similarity / temperature``::

        loss_i = -log( exp(s_ii') / sum_j exp(s_ij) )

    Source: Chen et al., SimCLR (arXiv 2002.05709), equation 1, which leaves ``s_ii`` out of the
    sum. MS2L's released code keeps it, at -1 before the temperature. Negatives come from all
    processes.

    Args:
        first, second: ``(N, D)``, need not be normalized; the same N on every process.
        temperature: ``> 0``; 0.9 as published for MS2L, 0.1 is usual for two augmented views.
        self_similarity: Value for the similarity of a row with itself; None leaves it out.

    Returns:
        ``loss`` and ``hit`` (1 if a row's partner is the most similar of all other rows),
        ``(2, N)`` each, the rows of ``first`` before those of ``second``.
    """
    with full_precision(first):
        own = unit_rows(torch.stack([first, second]))  # (2, N, D)
        num_rows = own.shape[1]
        everyone, start = gather_with_gradient(own.transpose(0, 1))  # (W*N, 2, D)
        num_all = len(everyone)
        columns = everyone.transpose(0, 1).flatten(0, 1)  # (2*W*N, D): all first, all second rows
        similarity = own @ columns.T  # (2, N, 2*W*N)

        row = torch.arange(start, start + num_rows, device=own.device)
        itself = torch.stack([row, row + num_all])[..., None]  # (2, N, 1)
        partner = itself.flip(0)
        excluded = torch.finfo(similarity.dtype).min
        itself_logit = excluded if self_similarity is None else self_similarity / temperature
        logits = (similarity / temperature).scatter(2, itself, itself_logit)
        loss = F.cross_entropy(logits.flatten(0, 1), partner.flatten(), reduction='none')
        best = similarity.detach().scatter(2, itself, excluded).argmax(2)  # (2, N)
        hit = (best == partner[..., 0]).to(logits.dtype)
        return dict(loss=loss.view_as(hit), hit=hit)


@MODELS.register_module()
class NTXentLoss(nn.Module):
    """Normalized temperature-scaled cross-entropy, see :func:`nt_xent`."""

    def __init__(self, temperature: float, self_similarity: float | None = -1.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.self_similarity = self_similarity

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        return nt_xent(first, second, self.temperature, self.self_similarity)
