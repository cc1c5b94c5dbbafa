"""PCGrad: projection of conflicting gradients."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import MODELS

from .balancer import ByTask, FixedWeights
from .shared_gradients import SharedGradients


@MODELS.register_module()
class PCGrad(FixedWeights):
    """Balancer that removes from each task's gradient the part that conflicts with another task.

    With ``g_k`` the gradient of ``w_k * loss_k`` on the shared backbone, for each task i and all
    others j in random order: where ``p_i . g_j < 0``, ``p_i -= (p_i . g_j) / |g_j|^2 * g_j``,
    starting from ``p_i = g_i``; the backbone is trained by ``sum_i p_i``. Source: Yu et al.,
    NeurIPS 2020 (arXiv 2001.06782), algorithm 1.

    Every ``p_i`` is a combination of the ``g_k``, so that the projected sum is ``sum_k c_k * g_k``,
    and the ``c_k`` follow from the gradients' inner products. These are computed on
    ``model.shared_weights`` over all processes (``''``, the whole backbone, is published; the last
    weights, the default, are our choice). The whole backbone gets the sum with these ``c_k``; heads
    and adapters keep their plain gradients. With accumulated gradients each part of the batch is
    projected separately. Not for training in float16.
    """

    def forward(
        self, losses: ByTask, progress: float, gradients: SharedGradients, sizes: ByTask
    ) -> Tensor:
        """The plain weighted sum, with the projected gradient on the shared backbone."""
        device = next(iter(losses.values())).device.type
        if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16:
            raise ConfigError(
                "model.balancer.type='PCGrad': unscaled gradients vanish in float16, set "
                "optim_wrapper.dtype='bfloat16' or train without --amp"
            )
        weights = torch.tensor([self.weight(task, progress) for task in losses])
        weights = weights.to(gradients.gram())
        gram = weights[:, None] * gradients.gram() * weights
        # The progress is the seed: equal on all processes and in a resumed run, and without effect
        # on other random numbers of the training.
        factors = projected_sum(gram, random.Random(progress))
        correction = gradients.surrogate_loss(weights * (factors - 1))
        return self.weighted_sum(losses, progress) + correction


def projected_sum(gram: Tensor, generator: random.Random) -> Tensor:
    """Compute the factors ``(K,)`` of the projected sum from inner products ``(K, K)``."""
    count = len(gram)
    others_of = [[j for j in range(count) if j != i] for i in range(count)]
    orders = [generator.sample(others, count - 1) for others in others_of]
    factors = torch.eye(count, dtype=gram.dtype, device=gram.device)  # row i: p_i by the g_k
    rows = torch.arange(count, device=gram.device)
    # One step for all tasks at once; no value is read, so nothing waits for the GPU.
    for others in torch.tensor(orders, device=gram.device).T:
        product = (factors @ gram)[rows, others]  # p_i . g_j
        squares = gram.diagonal()[others]
        # A task without a gradient has no conflict.
        share = torch.where(squares > 0, product.clamp(max=0) / squares, 0)
        factors = factors.index_put((rows, others), -share, accumulate=True)
    return factors.sum(0)
