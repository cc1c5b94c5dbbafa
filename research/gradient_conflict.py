#!/usr/bin/env python
"""Measure and draw how the tasks' gradients agree on the shared backbone.

    python research/gradient_conflict.py CONFIG CHECKPOINT --method HCPG --out results

tests the pretext tasks as research/pretext_tasks.py does, with the same options, and adds to the
result the cosines of the tasks' mean gradients (``--batches``) and those of the training's log.

    python research/gradient_conflict.py draw WORK_DIR [WORK_DIR ...]

draws the log of a training into ``conflict.png`` of its work dir. A training writes the log with

    PYTHONPATH=. python tools/train.py CONFIG --cfg-options default_hooks.gradient_conflict.type=\
research.gradient_conflict.GradientConflictHook
"""

from __future__ import annotations

import copy
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmact_ssl  # noqa: F401  # isort: skip  (the fixes come before mmengine)
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import Tensor

from mmact_ssl.datasets.seeded_samples import with_inner
from mmact_ssl.engine.hooks.gradient_share_hook import GradientShareHook
from mmact_ssl.engine.optimizers import unwrap_model
from mmact_ssl.errors import ConfigError, DataError, one_line_errors
from mmact_ssl.io.files import read_text
from mmact_ssl.models.balancers.shared_gradients import SharedGradients
from mmact_ssl.models.pretrainer import MultiTaskPretrainer
from mmact_ssl_cli import Parser
from research import pretext_tasks

FILE_NAME = 'gradient_conflict.jsonl'
# More colored lines cannot be distinguished; the others are gray.
MOST_LINES = 6


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
        for part, first in with_inner(loader.dataset):
            if hasattr(part, 'set_progress'):
                part.set_progress(seed, epoch, first)
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


def read_conflict(path: Path) -> list[dict[str, Any]]:
    """Read the log of ``GradientConflictHook``, by step.

    Returns:
        ``dict(epoch, step, norms={task: norm}, cosines={'a~b': cosine or None})`` each.
    """
    if not path.is_file():
        raise DataError(f'{path}: no such file; train with GradientConflictHook')
    lines = read_text(path, 'delete it').splitlines(keepends=True)
    # The last line of a running or killed training may be incomplete.
    records = [json.loads(line) for line in lines if line.endswith('\n')]
    if not records:
        raise DataError(f'{path}: has no measurement')
    return records


def summarize_conflict(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Summarize the cosines of :func:`read_conflict` by two numbers for each pair of tasks.

    These are ``conflict/<a>~<b>``, the mean cosine, and ``conflict/<a>~<b>/below_zero``, the
    fraction of measurements below 0. A pair without any cosine is left out.
    """
    summary = {}
    for pair, values in _table(records, 'cosines').items():
        known = values[np.isfinite(values)]
        if len(known):
            summary[f'conflict/{pair}'] = float(known.mean())
            summary[f'conflict/{pair}/below_zero'] = float((known < 0).mean())
    return summary


def draw_conflict(records: Sequence[dict[str, Any]], title: str = '') -> Figure:
    """Draw cosines and norms of :func:`read_conflict` by step, and the mean cosine of every pair.

    Thin lines are measurements, thick ones their running mean. Of many pairs those with the lowest
    mean have colors and names, the others are gray.
    """
    steps = np.array([record['step'] for record in records])
    tasks = list(records[0]['norms'])
    cosines, norms = _table(records, 'cosines'), _table(records, 'norms')
    side = max(2.8, 0.75 * len(tasks))
    figure = Figure(figsize=(9 + side, max(3.4, side + 0.6)), layout='constrained')
    axes = figure.subplots(1, 3, width_ratios=[4.5, 4.5, side])
    _draw_lines(axes[0], steps, cosines, sign=1)
    axes[0].axhline(0, color='black', linewidth=0.8)
    axes[0].set(xlabel='step', ylabel='cosine', title='gradients of two tasks')
    _draw_lines(axes[1], steps, norms, sign=-1)
    if any((values > 0).any() for values in norms.values()):
        axes[1].set_yscale('log')
    axes[1].set(xlabel='step', ylabel='norm', title='gradient after the weight')
    _draw_matrix(axes[2], tasks, summarize_conflict(records))
    figure.suptitle(title, fontsize=9)
    return figure


def _table(records: Sequence[dict], kind: str) -> dict[str, np.ndarray]:
    """Values of each task or pair, ``(N,)``; None becomes NaN."""
    names = records[0][kind]
    return {name: np.array([r[kind][name] for r in records], dtype=float) for name in names}


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean of the finite values in a window of ``width`` (odd) around each, ``(N,) -> (N,)``."""
    known = np.isfinite(values)
    kernel = np.ones(width)
    total = np.convolve(np.where(known, values, 0), kernel, 'same')
    count = np.convolve(known.astype(float), kernel, 'same')
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _draw_lines(axis: Axes, steps: np.ndarray, curves: dict[str, np.ndarray], sign: int) -> None:
    """Draw curves in the order of their means times ``sign``."""
    width = 2 * (len(steps) // 40) + 1
    order = {name: sign * np.nansum(v) / max(np.isfinite(v).sum(), 1) for name, v in curves.items()}
    for rank, name in enumerate(sorted(curves, key=lambda name: order[name])):
        shown = rank < MOST_LINES
        color = f'C{rank}' if shown else '0.8'
        look = dict(linewidth=1.6, label=name, zorder=2) if shown else dict(linewidth=0.8, zorder=1)
        if shown and width > 1:
            axis.plot(steps, curves[name], color=color, linewidth=0.5, alpha=0.4)
        marker = 'o' if len(steps) == 1 else None
        axis.plot(steps, running_mean(curves[name], width), color=color, marker=marker, **look)
    if curves:
        axis.legend(fontsize=7, frameon=False)
    axis.spines[['top', 'right']].set_visible(False)


def _draw_matrix(axis: Axes, tasks: Sequence[str], summary: dict[str, float]) -> None:
    """Draw the mean cosine of each pair and, below it, the fraction of measurements below 0."""
    means = np.full((len(tasks), len(tasks)), np.nan)
    font = 8 if len(tasks) <= 6 else 5
    for i, a in enumerate(tasks):
        for j, b in enumerate(tasks[:i]):
            pair, text = f'conflict/{b}~{a}', 'none'
            if pair in summary:
                means[i, j] = summary[pair]
                below = 100 * summary[f'{pair}/below_zero']
                text = f'{means[i, j]:+.2f}\n{below:.0f} % < 0'
            axis.text(j, i, text, ha='center', va='center', fontsize=font)
    bound = max(0.1, float(np.nanmax(np.abs(means), initial=0.0)))
    # Twice the range gives pale colors, on which black numbers are legible.
    axis.imshow(means, cmap='RdBu', vmin=-2 * bound, vmax=2 * bound)
    axis.set_xticks(range(len(tasks)), tasks, rotation=45, ha='right', fontsize=8)
    axis.set_yticks(range(len(tasks)), tasks, fontsize=8)
    axis.set_title('mean cosine', fontsize=10)
    axis.spines[:].set_visible(False)


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
    pretext_tasks.main(rest, lambda *run: conflict_metrics(*run, args.batches))


if __name__ == '__main__':
    main()
