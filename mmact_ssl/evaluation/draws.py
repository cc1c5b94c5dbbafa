"""Statistics over draws of the labels: intervals, and differences of two encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.results import Result

CONFIDENCE = 0.95


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean over draws, and half the width of its 95 % interval by Student's t.

    The interval tells how well the draws determine their mean. The encoder, the training clips and
    the test clips are the same in all draws, and it does not cover them.

    Args:
        values: One value a draw, n of them.

    Returns:
        The mean, and ``t * s / sqrt(n)`` with the sample deviation s and the quantile t of n - 1
        degrees of freedom; NaN for one draw.
    """
    half = float('nan')
    if len(values) > 1:
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
        half = float(quantile * np.std(values, ddof=1) / np.sqrt(len(values)))
    return float(np.mean(values)), half


def format_interval(values: Sequence[float], sign: str = '') -> str:
    """Format values in 0..1 as ``mean ± half width`` in percent; ``sign='+'`` shows it always."""
    mean, half = interval(values)
    text = f'{100 * mean:{sign}.1f}'
    return text if np.isnan(half) else f'{text} ± {100 * half:.1f}'


def find_row(results: Sequence[Result], dataset: str, label: str) -> list[Result]:
    """Select the few-shot results of a row.

    Args:
        label: Method of the row, with its variant if that is not 'full': ``Start, no-shift``.

    Raises:
        ConfigError: There are none.
    """
    rows = [r for r in results if (r.protocol, r.dataset) == ('fewshot', dataset)]
    found = [row for row in rows if row.label == label]
    if not found:
        known = ', '.join(sorted({repr(row.label) for row in rows})) or 'none'
        raise ConfigError(
            f'no few-shot result of {label!r} on {dataset} (there are: {known}): measure it first, '
            f'by evaluate.py fewshot --method {label.partition(",")[0]!r}'
        )
    return found


def paired_differences(first: Result, second: Result) -> dict[str, list[float]]:
    """Differences of two encoders, the second minus the first, by metric and draw.

    Raises:
        ConfigError: The results are of other data or other draws.
    """
    what = ''
    if first.data_version != second.data_version:
        what = 'on different data'
    elif first.details.get('drawn') != second.details.get('drawn'):
        what = 'on different draws of the labels'
    if what:
        raise ConfigError(
            f'{first.run} and {second.run} were measured {what}, so their draws are no pairs: '
            'measure one again'
        )
    draws, others = (result.details['draws'] for result in (first, second))
    return {
        metric: [other - value for value, other in zip(draws[metric], values, strict=True)]
        for metric, values in others.items()
    }
