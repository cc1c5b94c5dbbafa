"""Picture of the agreement of the tasks' gradients over a training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmact_ssl.errors import DataError
from mmact_ssl.files import read_text

FILE_NAME = 'gradient_conflict.jsonl'
# More colored lines cannot be distinguished; the others are gray.
MOST_LINES = 6


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
