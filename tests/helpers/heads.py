"""Pre-trainers, short trainings and slow twins for tests of heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_ssl.models.pretrainer import MultiTaskPretrainer


def one_view_pretrainer(**heads: type) -> MultiTaskPretrainer:
    """Heads on the view ``clip``, which the student leaves as it is, with the target ``aim``."""
    return MultiTaskPretrainer(
        backbone=dict(type=nn.Identity),
        heads={task: dict(type=head) for task, head in heads.items()},
        data_preprocessor=dict(
            type='mmact_ssl.PretextDataPreprocessor',
            mean=[0.0] * 3,
            std=[1.0] * 3,
            views=('clip',),
            targets=('clip.aim',),
        ),
    ).eval()


def fit(head: nn.Module, inputs: dict[str, Tensor], steps: int, rate: float) -> dict[str, Tensor]:
    """Train a head on one batch, and return its last losses and metrics."""
    optimizer = torch.optim.Adam(head.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        found = head.loss(**inputs)
        sum(value for name, value in found.items() if 'loss' in name).backward()
        optimizer.step()
    return found


def slow_network(layers: nn.Module, values: Tensor, running: bool = False) -> Tensor:
    """Linear, batch normalization, ReLU, linear, in double precision.

    Args:
        running: Normalize by the running statistics, not by those of these rows.
    """
    first, norm, _, last = layers[:4]
    hidden = values.double() @ first.weight.T.double() + first.bias.double()
    mean, variance = hidden.mean(0), hidden.var(0, unbiased=False)
    if running:
        mean, variance = norm.running_mean, norm.running_var
    hidden = (hidden - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias
    return hidden.clamp(min=0) @ last.weight.T.double() + last.bias.double()
