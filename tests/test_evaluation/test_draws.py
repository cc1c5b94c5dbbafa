"""Intervals and paired differences over draws."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.draws import find_row, format_interval, interval, paired_differences


@pytest.fixture
def made(make_result):
    """Makes a few-shot result."""

    def make(draws, drawn='same', **changes):
        details = dict(draws={'lda@2': list(draws)}, drawn=drawn)
        return make_result(protocol='fewshot', details=details, **changes)

    return make


def test_the_interval_against_the_table_of_students_t():
    values = np.random.default_rng(0).normal(size=20)
    mean, half = interval(values)
    assert mean == pytest.approx(sum(values) / 20)
    assert half == pytest.approx(2.0930 * statistics.stdev(values) / math.sqrt(20), rel=1e-4)
    assert format_interval([0.5, 0.5, 0.5]) == '50.0 ± 0.0'
    assert format_interval([0.5], '+') == '+50.0', 'one draw has no interval'


def test_differences_of_pairs_do_not_spread_with_the_draws(made):
    """Two encoders that differ by 3 points in each draw differ by 3 points, without deviation."""
    draws = np.random.default_rng(0).uniform(size=20)
    differences = paired_differences(made(draws), made(draws + 0.03))
    assert differences['lda@2'] == pytest.approx([0.03] * 20)
    mean, half = interval(differences['lda@2'])
    assert mean == pytest.approx(0.03) and half < 1e-9 < interval(draws)[1]


@pytest.mark.parametrize(
    ('changes', 'what'),
    [
        (dict(drawn='other'), 'on different draws of the labels'),
        (dict(data_version='other'), 'on different data'),
    ],
)
def test_results_that_are_no_pairs_are_refused(made, changes, what):
    with pytest.raises(ConfigError, match=f'{what}, so their draws are no pairs'):
        paired_differences(made([0.5]), made([0.5], **changes))


def test_a_row_is_found_by_its_label(made, make_result):
    rows = [
        made([0.5], method='Start'),
        made([0.5], method='Start', variant='no-shift'),
        make_result(method='Start'),
    ]
    assert find_row(rows, 'demo', 'Start') == [rows[0]]
    assert find_row(rows, 'demo', 'Start, no-shift') == [rows[1]]
    with pytest.raises(ConfigError, match=r"'start' on demo \(there are: 'Start', 'Start, no-sh"):
        find_row(rows, 'demo', 'start')
    with pytest.raises(ConfigError, match=r'on jhmdb \(there are: none\): measure it first'):
        find_row(rows, 'jhmdb', 'Start')
