"""Agreement of the tasks' gradients on the whole backbone, in the mean over many batches.

The gradient of one batch is mostly noise: in a space of millions of weights, two such gradients are
nearly orthogonal, whatever their means do. Agreement or conflict of tasks shows in the mean.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from mmact_ssl.datasets.seeded_samples import tell_progress
from mmact_ssl.engine.hooks.gradient_conflict_hook import norms_and_cosines
from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.pretrainer import MultiTaskPretrainer


def mean_gradient_conflict(
    model: MultiTaskPretrainer, batches: Iterable[Any], num_batches: int
) -> dict[str, float]:
    """Compare the tasks' mean gradients on all weights of the backbone (our choice).

    As in training (batch statistics, augmentation), but the model given stays as it is.

    Args:
        model: A pre-trained one.
        batches: Of the training data; as many as are asked for are read.
        num_batches: 2 or more.

    Returns:
        ``mean_gradient/<a>~<b>``, cosine of two tasks' mean gradients, -1 .. 1, and
        ``mean_gradient/<task>/halves``, the cosine of a task's own mean over even and over odd
        batches: 1 where the mean is certain, 0 where it is chance. Left out where a gradient is 0.

    Raises:
        ConfigError: There are fewer batches.
    """
    model = copy.deepcopy(model).train()
    model.shared_weights = ''
    # As the hook does before training; copies that a checkpoint has brought stay as they are.
    for follower, source in model.momentum_pairs():
        follower.start(source)
    measured: list[tuple[list[str], Tensor]] = []

    def collect(gradients: SharedGradients, weights: Mapping[str, Any]) -> None:
        measured.append((gradients.tasks, gradients.rows().double()))

    model.loss_observers = [collect]
    halves: list[Tensor] = []
    tasks: list[str] = []
    count = 0
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(0)  # of the random numbers that heads draw
        for count, batch in enumerate(islice(batches, num_batches), start=1):
            model(**model.data_preprocessor(batch, True), mode='loss')
            tasks, rows = measured.pop()
            if len(halves) < 2:
                halves.append(rows)
            else:
                halves[(count - 1) % 2] += rows
    if num_batches < 2 or count < num_batches:
        raise ConfigError(f'conflict_batches={num_batches}: there are {count}; give 2 to that many')
    total = halves[0] + halves[1]
    cosines = norms_and_cosines(tasks, total @ total.T)[1]
    found = {f'mean_gradient/{pair}': value for pair, value in cosines.items()}
    for task, pair in zip(tasks, zip(*halves)):
        own = torch.stack(pair)
        found[f'mean_gradient/{task}/halves'] = norms_and_cosines(['a', 'b'], own @ own.T)[1]['a~b']
    return {name: value for name, value in found.items() if value is not None}


def epoch_after_epoch(loader: Any, seed: int = 0) -> Iterator[Any]:
    """Batches of one epoch after the other, each with augmentations of its own by the seed.

    Persistent workers would not learn of a new epoch.
    """
    epoch = 0
    while True:
        tell_progress(loader.dataset, seed, epoch)
        if hasattr(loader.sampler, 'set_epoch'):
            loader.sampler.set_epoch(epoch)
        yield from loader
        epoch += 1
