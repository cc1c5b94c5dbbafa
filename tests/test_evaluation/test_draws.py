"""Intervals over draws, and of the difference between two encoders."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from scipy import stats

from mmact_ssl.evaluation.draws import format_interval, paired_interval


def test_the_interval_against_the_table_of_students_t():
    values = np.random.default_rng(0).uniform(size=20)
    half = 2.0930 * statistics.stdev(values) / math.sqrt(20)
    assert format_interval(values) == f'{100 * values.mean():.1f} ± {100 * half:.1f}'
    assert format_interval([0.5]) == '50.0', 'one draw has no interval'


def test_a_difference_of_clips_is_the_paired_t_test():
    first, second = np.random.default_rng(0).integers(0, 2, (2, 1, 30))
    mean, half = paired_interval(first, second, np.arange(30))
    found = stats.ttest_rel(second[0], first[0]).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx(tuple(found))


def test_the_interval_of_groups_and_draws_against_its_formula():
    rng = np.random.default_rng(1)
    groups = rng.choice(['a', 'b', 'c', 'd'], 40)
    first, second = rng.integers(0, 2, (2, 5, 40))
    mean, half = paired_interval(first, second, groups)
    difference = second - first
    assert mean == pytest.approx(difference.sum() / 200)
    over_groups = 0.0
    for name in 'abcd':
        own = [difference[:, clip].mean() - mean for clip in range(40) if groups[clip] == name]
        over_groups += 4 / 3 * sum(own) ** 2 / 40**2
    over_draws = statistics.variance([float(row.mean()) for row in difference]) / 5
    assert half == pytest.approx(3.18245 * math.sqrt(over_groups + over_draws), rel=1e-5)


def test_equal_differences_have_no_spread_and_one_group_no_interval():
    first = np.zeros((3, 8))
    assert paired_interval(first, first + 1, np.arange(8)) == (1, pytest.approx(0))
    assert paired_interval(first, first + 1, np.zeros(8)) == (1, math.inf)
