"""NT-Xent, the contrast of two sets of which row i of one belongs to row i of the other."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .gather import gather_with_gradient


def nt_xent(
    first: Tensor, second: Tensor, temperature: float, self_similarity: Optional[float] = -1.0
) -> dict[str, Tensor]:
    """Normalized temperature-scaled cross-entropy, both directions in one mean of 2N rows.

    With ``u_1 .. u_2N`` the rows of both sets at unit length, ``i'`` the partner of row ``i`` and
    ``s_ij = u_i . u_j / temperature``, ``s_ii = self_similarity / temperature``::

        loss = mean over i of  -log( exp(s_ii') / sum_j exp(s_ij) )

    Source: Chen et al., SimCLR (arXiv 2002.05709), equation 1, which leaves ``s_ii`` out of the
    sum. MS2L's released code keeps it, at -1 before the temperature. Negatives come from all
    processes.

    Args:
        first, second: ``[N, D]``, need not be normalized; the same N on every process.
        temperature: ``> 0``.
        self_similarity: What stands for the similarity of a row with itself; None leaves it out.

    Returns:
        ``loss``, and ``hit``, float ``[2, N]``: 1 where a row's partner is the most similar of all
        other rows, those of ``first`` before those of ``second``.
    """
    # As in multi_instance_info_nce: half precision loses small differences between many logits.
    with torch.autocast(first.device.type, enabled=False):
        own = torch.stack([first, second])  # (2, N, D)
        own = F.normalize(own.to(torch.promote_types(own.dtype, torch.float32)), dim=-1)
        num_rows = own.shape[1]
        everyone, start = gather_with_gradient(own.transpose(0, 1))  # (W*N, 2, D)
        num_all = len(everyone)
        columns = everyone.transpose(0, 1).flatten(0, 1)  # (2*W*N, D): first ones, second ones
        similarity = own @ columns.T  # (2, N, 2*W*N)

        row = torch.arange(start, start + num_rows, device=own.device)
        itself = torch.stack([row, row + num_all])[..., None]  # (2, N, 1)
        partner = itself.flip(0)
        excluded = torch.finfo(similarity.dtype).min
        itself_logit = excluded if self_similarity is None else self_similarity / temperature
        logits = (similarity / temperature).scatter(2, itself, itself_logit)
        loss = F.cross_entropy(logits.flatten(0, 1), partner.flatten())
        with torch.no_grad():
            best = similarity.scatter(2, itself, excluded).argmax(2)  # (2, N)
            hit = (best == partner[..., 0]).to(logits.dtype)
        return dict(loss=loss, hit=hit)
