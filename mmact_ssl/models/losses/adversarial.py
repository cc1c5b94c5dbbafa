"""Losses of generative adversarial training."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of the discriminator, ``mean(relu(1 - real)) + mean(relu(1 + fake))``.

    Source: Lim and Ye 2017 (arXiv 1705.02894), as used by SAGAN and TGANv2.

    Args:
        real, fake: Scores of real and of generated samples, any shape.
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """Generator's side of the hinge loss, ``-mean(fake)``."""
    return -fake.mean()


def call_with_frozen_weights(module: nn.Module, *args: Optional[Tensor]) -> Tensor:
    """Call a module so that gradients reach its inputs but never its parameters.

    This is how a generator reads its discriminator. Switching ``requires_grad`` off and on does the
    same in one process, but breaks the hooks that DistributedDataParallel sets on parameters.
    """
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    return functional_call(module, parameters, args)


def r1_penalty(score: Tensor, real: Tensor) -> Tensor:
    """Mean squared norm of the discriminator's gradient at real samples, ``mean |dD/dx|^2 / 2``.

    Source: Mescheder et al., ICML 2018 (arXiv 1801.04406), equation 9 with gamma = 1.

    Args:
        score: ``[N]``, the discriminator's scores of ``real``.
        real: ``[N, ...]``, requires a gradient.
    """
    (gradient,) = torch.autograd.grad(score.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean() / 2
