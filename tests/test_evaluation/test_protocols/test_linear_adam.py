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


def slow_adam(train: Features, seed: int, batch_size: int, round_steps: int, min_fall: float):
    """[3, 6]: weights and bias, by the formulas of Kingma and Ba, in the package's random order."""
    torch.manual_seed(seed)
    layer = torch.nn.Linear(5, 3)
    torch.nn.init.xavier_normal_(layer.weight)
    weights = torch.cat([layer.weight, 0 * layer.bias[:, None]], dim=1).detach().double().numpy()
    mean, square, steps, rate, end = np.zeros((3, 6)), np.zeros((3, 6)), 0, 1e-3, 0
    losses: list[float] = []
    while True:
        order = torch.randperm(len(train.labels)).tolist()
        for start in range(0, len(order), batch_size):
            picked = order[start : start + batch_size]
            gradient = np.zeros((3, 6))
            losses.append(0.0)
            for i in picked:
                x = np.append(train.values[i].astype(np.float64), 1)
                chance = np.exp(weights @ x) / np.exp(weights @ x).sum()
                losses[-1] -= np.log(chance[train.labels[i]]) / len(picked)
                for k in range(3):
                    gradient[k] += (chance[k] - (train.labels[i] == k)) * x / len(picked)
            steps += 1
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            unbiased = mean / (1 - 0.9**steps), square / (1 - 0.999**steps)
            weights = weights - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
            if steps == end:
                return weights, steps
            if not end and steps % round_steps == 0 and steps > round_steps:
                means = np.mean(np.reshape(losses, (-1, round_steps)), axis=1)
                if means[-1] >= (1 - min_fall) * means[-2]:
                    end, rate = 2 * steps, 0.1 * rate


def test_against_the_twin():
    train = blobs(7, 0, spread=3.0)
    options = dict(batch_size=8, round_steps=10, min_fall=0.007)
    layer, steps = fit_linear_layer(train, 3, seed=4, **options)
    found = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().numpy()
    with torch.random.fork_rng():
        slow, slow_steps = slow_adam(train, seed=4, **options)
    assert steps == slow_steps == 60, 'neither at once nor by the limit'
    np.testing.assert_allclose(found, slow, atol=2e-6)


def test_it_ends_where_the_loss_does_not_fall():
    """On labels that no feature tells, after two rounds; and at the limit, where it would go on."""
    same = Features(np.zeros((6, 5), np.float32), np.array([0, 1, 2, 0, 1, 2]))
    assert fit_linear_layer(same, 3, round_steps=5)[1] == 20
    assert fit_linear_layer(blobs(7, 0), 3, lr=0.1, round_steps=5, max_rounds=4)[1] == 40


def test_classes_are_told_apart_on_unseen_samples(make_task):
    task = make_task(blobs(40, 0), blobs(40, 1), 3)
    found = linear_adam.evaluate(task, lr=0.05, round_steps=50, max_rounds=2)
    metrics, details = found.metrics, found.details
    assert metrics['top1'] > 0.9
    assert metrics['top1'] == np.trace(details['confusion']) / 120
    assert details['train_top1'] > 0.9
    assert details['steps'] % 100 == 0


def random_states() -> list[torch.Tensor]:
    return [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]


def test_the_seed_decides_alone():
    train = blobs(20, 0)
    torch.manual_seed(1)
    before = random_states()
    first = fit_linear_layer(train, 3, seed=0, round_steps=9, max_rounds=1)[0].weight
    same = map(torch.equal, random_states(), before)
    assert all(same), 'what comes after draws as before'
    with torch.no_grad():  # as inside an evaluation
        again = fit_linear_layer(train, 3, seed=0, round_steps=9, max_rounds=1)[0].weight
    assert torch.equal(first, again)
    assert not torch.equal(
        first, fit_linear_layer(train, 3, seed=1, round_steps=9, max_rounds=1)[0].weight
    )
