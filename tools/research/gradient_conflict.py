#!/usr/bin/env python
"""Measure and draw how the tasks' gradients agree on the shared backbone.

    python tools/research/gradient_conflict.py CONFIG CHECKPOINT --out results

tests the pretext tasks as tools/test.py does, with the same options, and adds to the result the
cosines of the tasks' mean gradients (``--batches``) and those of the training's log.

    python tools/research/gradient_conflict.py draw WORK_DIR [WORK_DIR ...]

draws the log of a training into ``conflict.png`` of its work dir. A training writes the log with

    PYTHONPATH=. python tools/train.py CONFIG --cfg-options default_hooks.gradient_conflict.type=\
tools.research.gradient_conflict.GradientConflictHook
"""

from __future__ import annotations

import copy
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmact_ssl  # noqa: F401  # isort: skip  (the fixes come before mmengine)
import torch
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.datasets.seeded_samples import tell_progress
from mmact_ssl.engine.hooks.gradient_share_hook import GradientShareHook
from mmact_ssl.engine.unwrap import unwrap_model
from mmact_ssl.errors import ConfigError, one_line_errors
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl_cli import Parser
from tools import test
from tools.research.conflict_picture import (
    FILE_NAME,
    draw_conflict,
    read_conflict,
    summarize_conflict,
)


class GradientConflictHook(GradientShareHook):
    """Log cosines and norms of the tasks' gradients, every ``interval`` iterations.

    The gradients are those on ``model.shared_weights`` (by default the last weights of the
    backbone) in the training step, before any projection, see :class:`SharedGradients`. Scalars
    ``conflict/<a>~<b>``, the cosine of two tasks (Yu et al., NeurIPS 2020, arXiv 2001.06782,
    definition 1), and ``conflict/norm/<task>``, the norm after the task's weight, go to the message
    hub and the visualizer, and as a line of JSON to ``gradient_conflict.jsonl`` in the work dir.

    Args:
        interval: Iterations between measurements, beginning at the first iteration. A measurement
            costs a backward pass through the heads and to the shared weights.
    """

    def __init__(self, interval: int = 50) -> None:
        super().__init__(interval)

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        file = Path(runner.work_dir) / FILE_NAME
        if is_main_process() and file.is_file():  # remove steps that will run again
            whole = [line for line in file.read_text().splitlines(True) if line.endswith('\n')]
            earlier = [line for line in whole if json.loads(line)['step'] <= runner.iter]
            file.write_text(''.join(earlier))

    def measure(self, gradients: SharedGradients, factors: Tensor) -> tuple[list[str], Tensor]:
        gram = gradients.gram(self.scale).double()
        factors = factors.to(gram)
        return gradients.tasks, factors[:, None] * gram * factors

    def log(self, runner: Runner, measured: tuple[list[str], Tensor]) -> None:
        norms, cosines = norms_and_cosines(*measured)
        values = {f'norm/{task}': norm for task, norm in norms.items()} | cosines
        scalars = {f'conflict/{name}': v for name, v in values.items() if v is not None}
        for name, value in scalars.items():
            runner.message_hub.update_scalar(name, value)
        if not is_main_process():
            return
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        record = dict(epoch=runner.epoch + 1, step=runner.iter + 1, norms=norms, cosines=cosines)
        with open(Path(runner.work_dir) / FILE_NAME, 'a', encoding='utf-8') as stream:
            stream.write(json.dumps(record) + '\n')


def norms_and_cosines(
    tasks: list[str], gram: Tensor
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Norms by task and cosines by ``'<a>~<b>'`` of inner products ``(K, K)``.

    A norm that overflows in half precision is None, and so is a cosine with it or with a norm of 0.
    """
    rows = gram.tolist()
    squares = [rows[k][k] for k in range(len(tasks))]
    known = [math.isfinite(square) for square in squares]
    norms = {t: s**0.5 if k else None for t, s, k in zip(tasks, squares, known)}
    cosines: dict[str, float | None] = {}
    for (i, a), (j, b) in combinations(enumerate(tasks), 2):
        size = (squares[i] * squares[j]) ** 0.5 if known[i] and known[j] else 0.0
        cosines[f'{a}~{b}'] = rows[i][j] / size if size > 0 else None
    return norms, cosines


def mean_gradient_conflict(
    model: MultiTaskPretrainer, batches: Iterable[Any], num_batches: int
) -> dict[str, float]:
    """Compare the tasks' mean gradients on all weights of the backbone (our choice).

    The gradient of one batch is mostly noise: in a space of millions of weights, two such gradients
    are nearly orthogonal, whatever their means are. The mean over many batches shows how tasks
    agree. A copy of the model computes them as in training (batch statistics, augmentation).

    Args:
        num_batches: Number of batches to read, 2 or more.

    Returns:
        ``mean_gradient/<a>~<b>``, cosine of two tasks' mean gradients, -1 .. 1, and
        ``mean_gradient/<task>/halves``, the cosine of a task's own mean over even and over odd
        batches: 1 for a certain mean, 0 for chance. A gradient of 0 has no cosines.

    Raises:
        ConfigError: There are fewer batches.
    """
    model = copy.deepcopy(model).train()
    model.shared_weights = ''
    # As MomentumCopyHook does before training; copies of a checkpoint stay as they are.
    for follower, source in model.momentum_pairs():
        follower.start(source)
    measured: list[tuple[list[str], Tensor]] = []

    def collect(gradients: SharedGradients, weights: Mapping[str, Any]) -> None:
        measured.append((gradients.tasks, gradients.rows().double()))

    model.loss_observers = [collect]
    halves: list[Any] = [0, 0]
    tasks: list[str] = []
    count = 0
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(0)  # for heads that draw random numbers
        for count, batch in enumerate(islice(batches, num_batches), start=1):
            model(**model.data_preprocessor(batch, True), mode='loss')
            tasks, rows = measured.pop()
            halves[count % 2] += rows
    if num_batches < 2 or count < num_batches:
        raise ConfigError(f'--batches {num_batches}: there are {count}; give 2 to that many')
    total = halves[0] + halves[1]
    cosines = norms_and_cosines(tasks, total @ total.T)[1]
    metrics = {f'mean_gradient/{pair}': value for pair, value in cosines.items()}
    for task, pair in zip(tasks, zip(*halves)):
        own = torch.stack(pair)
        agreement = norms_and_cosines(['a', 'b'], own @ own.T)[1]['a~b']
        metrics[f'mean_gradient/{task}/halves'] = agreement
    return {name: value for name, value in metrics.items() if value is not None}


def epoch_after_epoch(loader: Any, seed: int = 0) -> Iterator[Any]:
    """Yield the batches of one epoch after the other, each with its own seeded augmentations.

    The loader must not have persistent workers: these would miss a new epoch.
    """
    epoch = 0
    while True:
        tell_progress(loader.dataset, seed, epoch)
        if hasattr(loader.sampler, 'set_epoch'):
            loader.sampler.set_epoch(epoch)
        yield from loader
        epoch += 1


def conflict_metrics(runner: Runner, checkpoint: str, num_batches: int) -> dict[str, float]:
    """Agreement of the tasks' mean gradients, and of those in the training's log, if any.

    All processes call this and average their gradients.
    """
    loader = {**runner.cfg.train_dataloader, 'persistent_workers': False}
    batches = epoch_after_epoch(runner.build_dataloader(loader, seed=0))
    metrics = mean_gradient_conflict(unwrap_model(runner.model), batches, num_batches)
    log = Path(checkpoint).with_name(FILE_NAME)
    return metrics | (summarize_conflict(read_conflict(log)) if log.is_file() else {})


def main(argv: list[str] | None = None) -> None:
    """Measure, or draw the logs of work dirs."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ['draw']:
        with one_line_errors():
            for work_dir in map(Path, argv[1:]):
                figure = draw_conflict(read_conflict(work_dir / FILE_NAME), work_dir.name)
                figure.savefig(work_dir / 'conflict.png', dpi=130)
                print(work_dir / 'conflict.png')
        return
    parser = Parser(description=__doc__)
    parser.add_argument('--batches', type=int, default=84, help='training batches of the mean')
    args, rest = parser.parse_known_args(argv)
    test.main(rest, lambda *run: conflict_metrics(*run, args.batches))


if __name__ == '__main__':
    main()
