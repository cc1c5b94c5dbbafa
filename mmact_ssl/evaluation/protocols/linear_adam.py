"""Linear probe as MS2L publishes it: a linear layer on frozen features, trained by Adam."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from mmact_ssl.evaluation.accuracy import accuracy_metrics
from mmact_ssl.evaluation.features import Features

from .base import Measured, Task


def evaluate(task: Task, **settings: Any) -> Measured:
    """Train the layer of :func:`fit_linear_layer` and test it after the last epoch.

    Details: ``train_top1``, which tells a layer that is not trained to its end from weak features.
    """
    train, test = task.train_features, task.test_features
    layer = fit_linear_layer(train, task.num_classes, task.request.seed, **settings)
    with torch.no_grad():
        scores, seen = (
            layer(torch.from_numpy(part.values).float()).numpy() for part in (test, train)
        )
    metrics, details = accuracy_metrics(test.labels, scores, task.num_classes)
    train_top1 = float((seen.argmax(axis=1) == train.labels).mean())
    return Measured(metrics, {**details, 'train_top1': train_top1})


def fit_linear_layer(
    train: Features,
    num_classes: int,
    seed: int = 0,
    epochs: int = 60,
    batch_size: int = 256,
    lr: float = 1e-3,
    step: int = 30,
    gamma: float = 0.1,
) -> nn.Linear:
    """Train a linear layer with Adam and cross-entropy, without standardizing or tuning anything.

    MS2L, arXiv 2010.05599 (released code): the defaults. The layer starts as torch's linear layers
    do, and a last batch that is smaller is used too (our choice).

    Args:
        train: Labeled features.
        seed: Of the start and of the order of samples, new in each epoch.
        step: Epochs after which the learning rate is multiplied by ``gamma``, again and again.
    """
    values = torch.from_numpy(train.values).float()  # [N, D]
    labels = torch.from_numpy(train.labels)  # [N]
    # The seed decides alone, and decides nothing else.
    with torch.random.fork_rng(devices=()), torch.enable_grad():
        torch.manual_seed(seed)
        layer = nn.Linear(values.shape[1], num_classes)
        optimizer = torch.optim.Adam(layer.parameters(), lr=lr)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step, gamma)
        for _ in range(epochs):
            for batch in torch.randperm(len(labels)).split(batch_size):
                optimizer.zero_grad()
                F.cross_entropy(layer(values[batch]), labels[batch]).backward()
                optimizer.step()
            schedule.step()
    return layer
