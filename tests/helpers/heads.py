"""Pre-trainers, short trainings and slow twins for tests of heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmact_ssl.models.heads import PretextHead, Term
from mmact_ssl.models.pretrainer import MultiTaskPretrainer


class KeepingHead(PretextHead):
    """Keeps its inputs; its loss is the mean square of the first one."""

    def __init__(self, **inputs: str) -> None:
        super().__init__(inputs)
        self.given: dict[str, Tensor] = {}

    def terms(self, **inputs: Tensor) -> dict[str, Term]:
        self.given = inputs
        first = next(iter(inputs.values()))
        return dict(loss=Term(first.square().flatten(1).mean(1)))


def keep(**inputs: str) -> dict:
    """Config of a head that keeps these inputs."""
    return dict(type=KeepingHead, **inputs)


def make_pretrainer(
    heads: dict[str, Any],
    views: Sequence[str] = ('clip',),
    targets: Sequence[str] = (),
    std: float = 1.0,
    **changes: Any,
) -> MultiTaskPretrainer:
    """A model of frames that are divided by a number, and of a student that does nothing."""
    scale = dict(mean=[0.0] * 3, std=[std] * 3)
    settings = dict(
        backbone=dict(type=nn.Identity),
        data_preprocessor=dict(
            type='mmact_ssl.PretextDataPreprocessor', views=views, targets=targets, **scale
        ),
        encode=views,
    )
    return MultiTaskPretrainer(**{**settings, 'heads': heads, **changes})


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
