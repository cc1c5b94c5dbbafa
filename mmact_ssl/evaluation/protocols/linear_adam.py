"""Linear probe as MS2L publishes it: a linear layer on frozen features, trained by Adam."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.features import Features

from .base import Measured, Task


def evaluate(task: Task, **settings: Any) -> Measured:
    """Train the layer of :func:`fit_linear_layer` and test it.

    The details are its ``steps`` and ``train_top1``: a low one means an unfinished training.
    """
    train, test = task.train_features, task.test_features
    layer, steps = fit_linear_layer(train, task.num_classes, task.request.seed, **settings)
    with torch.no_grad():
        scores, seen = (
            layer(torch.from_numpy(part.values).float()).numpy() for part in (test, train)
        )
    metrics, details = accuracy_metrics(test.labels, scores, task.num_classes)
    train_top1 = float((seen.argmax(axis=1) == train.labels).mean())
    return Measured(metrics, {**details, 'train_top1': train_top1, 'steps': steps})


def fit_linear_layer(
    train: Features,
    num_classes: int,
    seed: int = 0,
    batch_size: int = 256,
    lr: float = 1e-3,
    gamma: float = 0.1,
    round_steps: int = 1000,
    min_fall: float = 0.02,
    max_rounds: int = 50,
) -> tuple[nn.Linear, int]:
    """Train a linear layer with Adam and cross-entropy until its loss stops falling.

    MS2L, arXiv 2010.05599 (released code): Adam, its learning rate and batch, a tenth of the rate
    for the second half, Xavier-normal weights and a bias of zero. There 60 epochs are 9,000 steps;
    60 epochs of a small set are too few. So the first half consists of rounds of steps, until a
    round hardly lowers the loss, and the second half is as long (our choice). Features are not
    standardized. A smaller last batch is used, too (our choice).

    Args:
        seed: Seed of the initial weights and of the order of samples, new in each epoch.
        gamma: Factor of the learning rate in the second half.
        min_fall: The first half ends when a round lowers the mean loss by less than this fraction.
        max_rounds: Largest number of rounds of the first half.

    Returns:
        The layer, and the number of steps.
    """
    values = torch.from_numpy(train.values).float()  # (N, D)
    labels = torch.from_numpy(train.labels)  # (N,)
    # The seed changes no generator outside this block, and nothing else affects the result.
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices), torch.enable_grad():
        torch.manual_seed(seed)
        layer = nn.Linear(values.shape[1], num_classes)
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        optimizer = torch.optim.Adam(layer.parameters(), lr=lr)
        batches = endless_batches(len(labels), batch_size)

        def train_round() -> float:
            losses = []
            for _ in range(round_steps):
                batch = next(batches)
                loss = F.cross_entropy(layer(values[batch]), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            return float(torch.stack(losses).mean())

        rounds, before, after = 1, float('inf'), train_round()
        while rounds < max_rounds and after < (1 - min_fall) * before:
            before, after = after, train_round()
            rounds += 1
        for group in optimizer.param_groups:
            group['lr'] *= gamma
        for _ in range(rounds):
            train_round()
    return layer, 2 * rounds * round_steps


def endless_batches(count: int, batch_size: int) -> Iterator[Tensor]:
    """Yield batches of positions below ``count``, epoch after epoch in another random order."""
    while True:
        yield from torch.randperm(count).split(batch_size)
