"""Intervals over draws of the labels, and of the difference between two encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


def format_interval(values: Sequence[float]) -> str:
    """Format the mean over draws in percent, ± half of its 95 % interval by Student's t.

    The interval does not cover encoder and clips, which are the same in all draws. One draw has
    none.
    """
    text, count = f'{100 * np.mean(values):.1f}', len(values)
    if count == 1:
        return text
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
    return f'{text} ± {100 * quantile * np.std(values, ddof=1) / np.sqrt(count):.1f}'


def paired_interval(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray
) -> tuple[float, float]:
    """Mean difference of right answers, and half the width of its 95 % interval.

    The variance is that of a mean over clusters, the groups of test clips, and that of a mean over
    draws; Student's t has as many degrees of freedom as groups, less one.

    Args:
        first, second: 0 or 1, ``(R, T)``, the same R draws and T test clips.
        groups: ``(T,)``; for one group the half width is infinite.
    """
    difference = second.astype(np.float64) - first
    mean, (draws, clips) = float(difference.mean()), difference.shape
    places = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(places, difference.mean(axis=0) - mean)
    count = len(sums)
    if count == 1:
        return mean, float('inf')
    variance = count / (count - 1) * np.square(sums).sum() / clips**2
    variance += difference.mean(axis=1).var(ddof=1) / draws if draws > 1 else 0
    return mean, float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * np.sqrt(variance))
