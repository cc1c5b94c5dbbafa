"""Hinge losses of generative adversarial training."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from mmact_ssl.models.losses.common import full_precision
from mmact_ssl.registry import MODELS


def call_with_frozen_weights(module: nn.Module, *args: Tensor) -> Tensor:
    """Call a module so that gradients reach its inputs but not its parameters.

    A generator calls its discriminator in this way. Switching ``requires_grad`` off and on would
    break the hooks of DistributedDataParallel on the parameters.
    """
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    return functional_call(module, parameters, args)


def r1_penalty(score: Tensor, real: Tensor) -> Tensor:
    """Half the squared norm of the discriminator's gradient at real samples, ``|dD/dx|^2 / 2``.

    ``score`` and the result are ``(N,)``, for each sample of ``real``.

    Source: Mescheder et al., ICML 2018 (arXiv 1801.04406), equation 9 with gamma = 1.
    """
    (gradient,) = torch.autograd.grad(score.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1) / 2


class AdversarialTerms(NamedTuple):
    """Losses of both sides of a GAN, and the discriminator's accuracy, ``(B,)`` each.

    Attributes:
        generator, discriminator: Losses of the two sides.
        accuracy: Share of right signs of the discriminator's scores, the mean over real and fake
            samples; 0.5 is chance. No gradient.
        matched: 1 if the real sample has a higher score under its own condition than under the
            wrong one, else 0; None without wrong conditions. No gradient.
    """

    generator: Tensor
    discriminator: Tensor
    accuracy: Tensor
    matched: Tensor | None


@MODELS.register_module()
class HingeGANLoss(nn.Module):
    """Hinge losses of a generator and its discriminator, with an R1 penalty.

    ``generator = -D(fake)`` and ``discriminator = relu(1 - D(real)) + relu(1 + D(fake))`` (Lim and
    Ye 2017, arXiv 1705.02894, as used by SAGAN; TGANv2's released code has logistic ones). A real
    sample under a wrong condition is a second fake, and both fakes count half (Reed et al., ICML
    2016, arXiv 1605.05396, algorithm 1). Every ``r1_interval`` steps the discriminator's loss has
    ``r1_weight * r1_interval * r1_penalty`` added.

    Args:
        weight: Weight of the generator's loss.
        r1_weight, r1_interval: Weight of the penalty (0: none), and its interval in steps.
    """

    def __init__(self, weight: float = 0.1, r1_weight: float = 0.0, r1_interval: int = 16) -> None:
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
        wrong: Sequence[Tensor] | None = None,
        iteration: int = 0,
    ) -> AdversarialTerms:
        """Compute the losses of both sides; the discriminator's has no gradient on ``fake``.

        ``discriminator(samples, *condition)`` returns scores ``(B,)`` for samples ``(B, ...)``; a
        score depends only on its sample. ``wrong`` is a condition of other samples.
        """
        generator_loss = -self.weight * call_with_frozen_weights(discriminator, fake, *condition)
        fake = fake.detach()
        due = self.r1_weight and iteration % self.r1_interval == 0
        penalized = bool(due and self.training and torch.is_grad_enabled())
        # Second derivatives overflow half precision.
        precision = full_precision(real) if penalized else nullcontext()
        with precision:
            if penalized:
                real, fake = real.detach().float().requires_grad_(), fake.float()
                condition = tuple(value.float() for value in condition)
                wrong = wrong and tuple(value.float() for value in wrong)
            batches = [(real, *condition), (fake, *condition)]
            if wrong is not None:
                batches.append((real.detach(), *wrong))
            if penalized:  # the second derivative needs the real samples by themselves
                scores = [discriminator(*batch) for batch in batches]
            else:
                scores = list(discriminator(*map(torch.cat, zip(*batches))).chunk(len(batches)))
            of_real, of_fakes = scores[0], torch.stack(scores[1:])
            loss = F.relu(1 - of_real) + F.relu(1 + of_fakes).mean(0)
            if penalized:
                loss = loss + self.r1_weight * self.r1_interval * r1_penalty(of_real, real)
        accuracy = ((of_real > 0).to(loss.dtype) + (of_fakes < 0).to(loss.dtype).mean(0)) / 2
        matched = None if wrong is None else (of_real > of_fakes[-1]).to(loss.dtype)
        return AdversarialTerms(generator_loss, loss, accuracy, matched)
