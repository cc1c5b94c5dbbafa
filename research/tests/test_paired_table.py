"""The table of gains over a start: differences at one seed, and what it refuses to compare."""

from __future__ import annotations

import math
import statistics

import pytest

from mmact_ssl.errors import ConfigError
from research.markers import fill

NAME = 'nwucla/Random_init,_streams/BYOL@240-steps?linear'
TEXT = f'<!-- paired:{NAME} -->\n<!-- /paired:{NAME} -->'
SETTINGS = dict(dataset='nwucla', backbone='gru-streams', protocol='linear', label_fraction=0.1)
START, AFTER = (0.63, 0.65, 0.56, 0.70), (0.72, 0.76, 0.65)


@pytest.fixture
def results(make_result) -> list:
    of_start = dict(method='Random init', variant='streams', checkpoint_hash='random', **SETTINGS)
    of_student = dict(method='BYOL', variant='240-steps', **SETTINGS)
    start = [make_result(v, seed=seed, **of_start) for seed, v in enumerate(START)]
    after = [
        make_result(v, seed=seed, checkpoint_hash=f'c{seed}', **of_student)
        for seed, v in enumerate(AFTER)
    ]
    return [*start, *after]


def row(text: str, method: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if f'| {method}' in line]
    return [cell.strip() for cell in line.strip('|').split('|')]


def by_t_test(gains: list[float]) -> bool:
    """Three seeds: two degrees of freedom, of which 95 % lie within 4.3027."""
    error = statistics.stdev(gains) / math.sqrt(3)
    return abs(statistics.mean(gains)) > 4.3027 * error


def test_a_gain_is_the_mean_difference_at_the_same_seed(results):
    text = fill(TEXT, results)
    gains = [100 * (b - a) for a, b in zip(START, AFTER)]  # 9, 11 and 9
    assert by_t_test(gains)
    assert row(text, 'BYOL') == ['nwucla, gru-streams', 'BYOL, 240-steps', '**+9.7 ± 1.2**']
    assert row(text, '*Random')[1:] == ['*Random init, streams*', '*63.5 ± 5.8*']
    assert 'over 3 to 3 seeds' not in text and 'over 3 seeds' in text


@pytest.mark.parametrize('third', [0.30, 0.62, 0.65, 0.70, 0.80])
def test_bold_is_what_a_t_test_tells_from_0(results, third):
    results[-1].metrics['top1'] = third
    gains = [100 * (b - a) for a, b in zip(START, (*AFTER[:2], third))]
    assert ('**' in row(fill(TEXT, results), 'BYOL')[-1]) == by_t_test(gains)


def test_two_seeds_are_never_bold(results):
    assert row(fill(TEXT, results[:-1]), 'BYOL')[-1] == '+10.0 ± 1.4'


@pytest.mark.parametrize(
    ('hash_', 'fraction', 'cell'),
    [('imagenet', 1.0, '+8.0 ± 5.6'), ('random', 1.0, '+9.0'), ('imagenet', 0.1, '+9.0')],
)
def test_a_start_without_a_draw_stands_for_all_seeds(results, hash_, fraction, cell):
    """Random weights, or labels drawn by the seed, are those of one seed."""
    results[0].checkpoint_hash = hash_
    for run in results:
        run.label_fraction = fraction
    assert row(fill(TEXT, [results[0], *results[4:]]), 'BYOL')[-1] == cell


def test_a_seed_that_the_start_does_not_have_is_left_out(results):
    assert row(fill(TEXT, [*results[:2], *results[4:]]), 'BYOL')[-1] == '+10.0 ± 1.4'


def test_parts_with_one_start_share_its_rows(results, make_result):
    other = make_result(0.6, method='DINO', variant='full', checkpoint_hash='d', **SETTINGS)
    name = f'{NAME};nwucla/Random_init,_streams/DINO@full?linear'
    text = fill(TEXT.replace(NAME, name), [*results, other])
    assert row(text, 'DINO')[-1] == '-3.0'
    assert len([line for line in text.splitlines() if '*Random' in line]) == 1


def test_other_settings_are_refused(results):
    results[1].config_hash = 'other'
    with pytest.raises(ConfigError, match='different settings'):
        fill(TEXT, results)


def test_a_start_without_results_is_refused(results):
    with pytest.raises(ConfigError, match='one backbone'):
        fill(TEXT, results[4:])


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('nwucla/Random_init,_streams', 'give DATASET/START/METHODS'),
        (f'{NAME.replace("BYOL", "BYOL,DINO")}', "no results of 'DINO'"),
        (f'{NAME.replace("BYOL", "BYLO")}', "no results of 'BYLO'"),
        (f'{NAME.replace("240", "780")}', "no results of 'BYOL'"),
    ],
)
def test_a_row_that_would_be_missing_is_refused(results, name, message):
    with pytest.raises(ConfigError, match=message):
        fill(TEXT.replace(NAME, name), results)


def test_without_a_common_seed_there_is_no_gain(results):
    with pytest.raises(ConfigError, match='share no seed'):
        fill(TEXT, [results[3], *results[4:]])
