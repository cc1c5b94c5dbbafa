"""Hinge losses of generative adversarial training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from mmact_ssl.registry import MODELS


def call_with_frozen_weights(module: nn.Module, *args: Tensor) -> Tensor:
    """Call a module so that gradients reach its inputs but never its parameters.

    This is how a generator reads its discriminator. Switching ``requires_grad`` off and on does the
    same in one process, but breaks the hooks that DistributedDataParallel sets on parameters.
    """
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    return functional_call(module, parameters, args)


def r1_penalty(score: Tensor, real: Tensor) -> Tensor:
    """Squared norm of the discriminator's gradient at each real sample, ``|dD/dx|^2 / 2``, ``[N]``.

    Source: Mescheder et al., ICML 2018 (arXiv 1801.04406), equation 9 with gamma = 1.
    """
    (gradient,) = torch.autograd.grad(score.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1) / 2


@MODELS.register_module()
class HingeGANLoss(nn.Module):
    """Hinge losses of a generator and its discriminator, with an R1 penalty.

    ``generator = -D(fake)`` and ``discriminator = relu(1 - D(real)) + relu(1 + D(fake))`` (Lim and
    Ye 2017, arXiv 1705.02894, as used by SAGAN and TGANv2). Every ``r1_interval`` steps the
    discriminator's loss has ``r1_weight * r1_interval * r1_penalty`` added.

    Args:
        weight: Of the generator's loss.
        r1_weight, r1_interval: Weight of the penalty, 0 for none, and steps from one to the next.
    """

    def __init__(self, weight: float = 0.01, r1_weight: float = 0.0, r1_interval: int = 16) -> None:
        super().__init__()
        self.weight = weight
        self.r1_weight = r1_weight
        self.r1_interval = r1_interval

    def forward(
        self,
        discriminator: nn.Module,
        real: Tensor,
        fake: Tensor,
        *condition: Tensor,
        iteration: int = 0,
    ) -> dict[str, Tensor]:
        """Losses of both sides, ``[B]``; the discriminator's sends no gradient to ``fake``.

        ``discriminator(samples, *condition)`` gives ``[B]`` of samples ``[B, ...]``.
        """
        fooling = -self.weight * call_with_frozen_weights(discriminator, fake, *condition)
        fake = fake.detach()
        if not self.training or not self.r1_weight or iteration % self.r1_interval:
            told = hinge(discriminator(real, *condition), discriminator(fake, *condition))
            return dict(generator=fooling, discriminator=told)
        # Second derivatives overflow half precision.
        with torch.autocast(real.device.type, enabled=False):
            real = real.detach().float().requires_grad_()
            score = discriminator(real, *condition)
            penalty = self.r1_weight * self.r1_interval * r1_penalty(score, real)
            told = hinge(score, discriminator(fake.float(), *condition)) + penalty
        return dict(generator=fooling, discriminator=told)


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """Discriminator's side of the hinge loss, of scores of any shape."""
    return F.relu(1 - real) + F.relu(1 + fake)
