"""The linear layer trained by Adam: against a loop in float64, and seeded."""

from __future__ import annotations

import numpy as np
import torch

from mmact_ssl.evaluation.features import Features
from mmact_ssl.evaluation.protocols import linear_adam
from mmact_ssl.evaluation.protocols.linear_adam import fit_linear_layer


def blobs(per_class: int, seed: int, spread: float = 1.0) -> Features:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_class)
    values = 3 * np.eye(3, 5)[labels] + spread * generator.normal(size=(len(labels), 5))
    return Features(values.astype(np.float32), labels)


def slow_adam(train: Features, seed: int, epochs: int, batch_size: int, step: int) -> np.ndarray:
    """[3, 6]: weights and bias, by the formulas of Kingma and Ba, in the package's random order."""
    torch.manual_seed(seed)
    layer = torch.nn.Linear(5, 3)
    weights = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().double().numpy()
    mean, square, steps, rate = np.zeros((3, 6)), np.zeros((3, 6)), 0, 1e-3
    for epoch in range(epochs):
        if epoch > 0 and epoch % step == 0:
            rate *= 0.1
        order = torch.randperm(len(train.labels)).tolist()
        for start in range(0, len(order), batch_size):
            picked = order[start : start + batch_size]
            gradient = np.zeros((3, 6))
            for i in picked:
                x = np.append(train.values[i].astype(np.float64), 1)
                chance = np.exp(weights @ x) / np.exp(weights @ x).sum()
                for k in range(3):
                    gradient[k] += (chance[k] - (train.labels[i] == k)) * x / len(picked)
            steps += 1
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            unbiased = mean / (1 - 0.9**steps), square / (1 - 0.999**steps)
            weights = weights - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return weights


def test_against_the_twin():
    train = blobs(7, 0)
    layer = fit_linear_layer(train, 3, seed=4, epochs=5, batch_size=8, step=2)
    found = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().numpy()
    with torch.random.fork_rng():
        slow = slow_adam(train, seed=4, epochs=5, batch_size=8, step=2)
    np.testing.assert_allclose(found, slow, atol=2e-6)


def test_classes_are_told_apart_on_unseen_samples(make_task):
    found = linear_adam.evaluate(make_task(blobs(40, 0), blobs(40, 1), 3), lr=0.05)
    metrics, details = found.metrics, found.details
    assert metrics['top1'] > 0.9
    assert metrics['top1'] == np.trace(details['confusion']) / 120
    assert details['train_top1'] > 0.9


def test_the_seed_decides_alone():
    train = blobs(20, 0)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = fit_linear_layer(train, 3, seed=0, epochs=2).weight
    assert torch.equal(torch.get_rng_state(), state), 'what comes after draws as before'
    with torch.no_grad():  # as inside an evaluation
        again = fit_linear_layer(train, 3, seed=0, epochs=2).weight
    assert torch.equal(first, again)
    assert not torch.equal(first, fit_linear_layer(train, 3, seed=1, epochs=2).weight)
