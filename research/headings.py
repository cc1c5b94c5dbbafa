"""Headings of the measured numbers, in tables and the model index."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from mmact_ssl.evaluation.results import Result

PARTS = (1, 5, 10, 20, 40)  # per cent of the labels
# (heading, protocol, metric, label fraction), in the order of the tables.
Column = tuple[str, str, str, float]
COLUMNS: tuple[Column, ...] = (
    ('Linear', 'linear', 'top1', 1.0),
    *((f'Linear, {part} %', 'linear', 'top1', part / 100) for part in PARTS),
    ('LDA', 'lda', 'top1', 1.0),
    *((f'LDA, {part} %', 'lda', 'top1', part / 100) for part in PARTS),
    ('kNN', 'knn', 'top1', 1.0),
    *((f'R@{k}', 'retrieval', f'recall@{k}', 1.0) for k in (1, 5, 10, 20, 50)),
    *((f'Fine-tuned, {part} %', 'finetune', 'top1', part / 100) for part in PARTS),
    ('Fine-tuned', 'finetune', 'top1', 1.0),
    ('Joint, 10 %', 'joint', 'top1', 0.1),
    ('Joint', 'joint', 'top1', 1.0),
)


def has_column(result: Result, column: Column) -> bool:
    """True if a result has the number of a column; a small gallery has no ``recall@50``."""
    _, protocol, metric, fraction = column
    is_same = (result.protocol, result.label_fraction) == (protocol, fraction)
    return is_same and metric in result.metrics


def format_cell(values: Sequence[float], digits: int = 1) -> str:
    """Format the values of several seeds as ``mean ± deviation``; ``-`` for none."""
    if not values:
        return '-'
    mean = f'{statistics.mean(values):.{digits}f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.{digits}f}'
