"""Statistics over draws of the labels: intervals, and differences of two results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.draws import CONFIDENCE
from mmact_ssl.evaluation.results import Result


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
    row = ('fewshot', dataset, label)
    found = [result for result in results if (result.protocol, result.dataset, result.label) == row]
    if not found:
        raise ConfigError(
            f'no few-shot result of {label!r} on {dataset}: measure it first, by evaluate.py '
            f'fewshot --method {label.partition(",")[0]!r}'
        )
    return found


def paired_differences(reference: Result, result: Result) -> dict[str, list[float]]:
    """Differences of a result from a reference, by metric and draw.

    Raises:
        ConfigError: The results are of other data or other draws.
    """
    what = ''
    references, draws = (part.details.get('draws', {}) for part in (reference, result))
    if reference.data_version != result.data_version:
        what = 'on different data'
    elif reference.details.get('drawn') != result.details.get('drawn'):
        what = 'on different draws of the labels'
    elif any(len(references.get(metric, ())) != len(values) for metric, values in draws.items()):
        what = 'by different readouts or numbers of draws'
    if what:
        raise ConfigError(
            f'{reference.run} and {result.run} were measured {what}, so their draws are no pairs: '
            'measure one again'
        )
    return {
        metric: [value - other for value, other in zip(values, references[metric])]
        for metric, values in draws.items()
    }
